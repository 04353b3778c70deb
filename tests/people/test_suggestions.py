"""Who suggested which name: until the user, or somebody later, gives another answer."""

from __future__ import annotations

from typing import Any

import pytest

from faceclust.people.events import Event, JournalFace, new_event, suggester_of, suggestion_source
from faceclust.people.names import person_key
from faceclust.people.replay import replay_events
from faceclust.people.suggestions import SuggestionReplay, collect_suggestions, find_unconfirmed
from faceclust.types import FaceOccurrence

A, B = "a" * 16, "b" * 16
PLACES = [
    FaceOccurrence(face, f"{face[0]}.jpg", face * 2, (0.1, 0.1, 0.3, 0.3), (100, 100), 0.9, 0.9, None)
    for face in (A, B)
]


def make_event(kind: str, *faces: str, by: str | None = None, confirmed: bool = True, **fields: Any) -> Event:
    places = [place for place in PLACES if place.face_id in faces]
    shown = tuple(JournalFace.from_occurrence(place, confirmed=confirmed) for place in places)
    return new_event(kind, faces=shown, source=None if by is None else suggestion_source(by), **fields)


def suggest(name: str, *faces: str, by: str = "Mary") -> Event:
    return make_event("name", *faces, by=by, confirmed=False, name=name)


def unconfirmed(*events: Event) -> dict[str, str]:
    return find_unconfirmed(collect_suggestions(events), replay_events(events, PLACES))


def test_a_suggestion_counts_until_it_is_confirmed_or_replaced() -> None:
    first = suggest("Anna", A, B)
    assert unconfirmed(first) == {A: "Mary", B: "Mary"}
    assert unconfirmed(first, make_event("confirm", A, name="Anna")) == {B: "Mary"}
    assert unconfirmed(first, make_event("name", A, name="Ben")) == {B: "Mary"}
    assert unconfirmed(first, make_event("ignore", A)) == {B: "Mary"}
    assert unconfirmed(first, make_event("reject", A, name="Anna")) == {B: "Mary"}
    assert unconfirmed(first, suggest("Ben", A, by="Bob")) == {A: "Bob", B: "Mary"}
    assert unconfirmed(first, new_event("undo", undoes=first.id)) == {}


@pytest.mark.parametrize("kind", ["rename", "merge"])
def test_a_suggestion_follows_the_name(kind: str) -> None:
    assert unconfirmed(suggest("Anna", A), new_event(kind, name="Anna", to="Anne")) == {A: "Mary"}


def test_a_rejection_of_the_user_replaces_a_suggested_one() -> None:
    suggested, own = make_event("reject", A, by="Bob", name="Anna"), make_event("reject", A, name="Anna")
    assert collect_suggestions([suggested]).rejections == {(A, person_key("Anna")): "Bob"}
    assert collect_suggestions([suggested, own]).rejections == {}


@pytest.mark.parametrize("kind", ["rename", "merge"])
def test_a_suggested_rejection_follows_the_name(kind: str) -> None:
    suggested, renamed = make_event("reject", A, by="Bob", name="Anna"), new_event(kind, name="Anna", to="Anne")
    assert collect_suggestions([suggested, renamed]).rejections == {(A, person_key("Anne")): "Bob"}
    spelling = new_event("rename", name="Anna", to="ANNA")
    assert collect_suggestions([suggested, spelling]).rejections == {(A, person_key("Anna")): "Bob"}


def test_a_source_of_a_hostile_journal_is_cleaned() -> None:
    assert suggester_of(suggest("Anna", A, by="\x1b[31mMary\u202e")) == "[31mMary"
    assert suggester_of(suggest("Anna", A, by="\x07")) is None
    assert suggester_of(make_event("name", A, name="Anna")) is None


def test_suggestions_kept_up_to_date_are_those_from_scratch() -> None:
    first, replay = suggest("Anna", A, B), SuggestionReplay()
    later = [
        make_event("reject", B, by="Bob", name="Ben"),
        new_event("rename", name="Anna", to="Anne"),
        make_event("confirm", A, name="Anne"),
        new_event("undo", undoes=first.id),
        suggest("Ben", B, by="Bob"),
    ]
    for count in (*range(len(later) + 1), 2):  # the last time, with fewer events
        events = [first, *later[:count]]
        assert replay.suggestions(events) == collect_suggestions(events)
