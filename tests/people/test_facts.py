"""Facts about people are answers of the journal: undone like others, and kept through renames and merges."""

from __future__ import annotations

from datetime import date

import pytest

from faceclust.people.event_text import describe_event
from faceclust.people.events import from_record, to_record
from faceclust.people.fact_changes import FactChanges
from faceclust.people.replay import replay_events
from faceclust.types import PartialDate, PersonFacts
from tests.support.people_builders import make_event, make_occurrence


def change(name: str, *faces: str, **changes: object) -> object:
    return make_event("person", *faces, name=name, facts=FactChanges(**changes))  # type: ignore[arg-type]


def facts_after(*events: object) -> dict[str, PersonFacts]:
    return replay_events(events, [make_occurrence("1"), make_occurrence("2")]).facts  # type: ignore[arg-type]


def test_the_later_fact_counts_and_an_empty_one_clears() -> None:
    first = change("Anna", "1", born="1987-05-03", note="cousin", added_groups=("Family", "School"))
    second = change("ANNA", born="1988", note="", removed_groups=("school",), added_aliases=("Anni",))
    assert facts_after(first, second) == {
        "anna": PersonFacts(PartialDate(1988), picture="1", groups=("Family",), aliases=("Anni",))
    }
    assert facts_after(first, second, make_event("undo", undoes=second.id))["anna"].note == "cousin"  # type: ignore[attr-defined]
    assert facts_after(first, change("Anna", clears_picture=True, born=""))["anna"].picture is None


def test_facts_follow_a_rename_and_a_merge() -> None:
    anna, ben = change("Anna", born="1987", favourite=True), change("Ben", born="1990", died="2020")
    assert facts_after(anna, make_event("rename", name="Anna", to="Anne")) == {
        "anne": PersonFacts(PartialDate(1987), favourite=True)
    }
    assert facts_after(anna, ben, make_event("merge", name="Anna", to="Ben")) == {
        "ben": PersonFacts(PartialDate(1990), PartialDate(2020), favourite=True)
    }


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        {"born": 1987},
        {"born": "1987-13"},
        {"favourite": 1},
        {"groups": "a"},
        {"groups": [""]},
        {"note": "\0"},
    ],
)
def test_invalid_facts_are_refused(facts: object) -> None:
    record = to_record(change("Anna", born="1987")) | {"facts": facts}  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        from_record(record)


def test_ages_have_the_doubt_of_the_birth_date() -> None:
    born = PersonFacts(PartialDate(1987, 5, 3))
    assert born.ages_on(date(1990, 5, 2)) == (2, 2) and born.ages_on(date(1990, 5, 3)) == (3, 3)
    assert PersonFacts(PartialDate(1987)).ages_on(date(1990, 7, 1)) == (2, 3)
    assert born.ages_on(date(1987, 5, 2)) == (-1, -1)
    assert PersonFacts().ages_on(date(1990, 1, 1)) is None


def test_an_alias_that_becomes_the_name_is_dropped() -> None:
    anna = change("Anna", added_aliases=("Anni", "Mum"))
    assert facts_after(anna, make_event("rename", name="Anna", to="anni"))["anni"].aliases == ("Mum",)
    merged = facts_after(anna, change("Ben", note="x"), make_event("merge", name="Anna", to="Mum"))
    assert merged["mum"].aliases == ("Anni",) and "anna" not in merged
    assert facts_after(change("Anna", added_aliases=("ANNA",)))["anna"].aliases == ()


def test_events_describe_their_facts() -> None:
    event = change("Anna", "1", born="", note="x", removed_groups=("Us",), removed_aliases=("Anni", "Ann"))
    text = "Anna: no date for born, a note, a chosen picture, not in Us, not called Anni, Ann"
    assert describe_event(event) == text  # type: ignore[arg-type]
    assert describe_event(change("Anna")) == "Anna: no new facts"  # type: ignore[arg-type]
