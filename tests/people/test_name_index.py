"""Names and aliases find people, and groups of people have their members."""

from __future__ import annotations

import pytest

from faceclust.catalogue.face_selection import find_named_person
from faceclust.errors import UsageError
from faceclust.people.name_index import group_people, index_names
from faceclust.types import Person, PersonFacts

ANNA = Person("a", "Anna", ("1",), frozenset(), (1,), facts=PersonFacts(groups=("Family",), aliases=("Anni", "Ben")))
BEN = Person("b", "Ben", ("2",), frozenset(), (2,), facts=PersonFacts(groups=("family", "Chess"), aliases=("Anni",)))


def test_a_name_takes_precedence_over_an_alias_and_the_first_alias_counts() -> None:
    facts = {"anna": ANNA.facts, "ben": BEN.facts, "cleo": PersonFacts(aliases=("Cle",)), "gone": PersonFacts()}
    names = index_names([ANNA, BEN], {"Cleo"}, facts)
    assert names == {"anna": "Anna", "ben": "Ben", "anni": "Anna", "cleo": "Cleo", "cle": "Cleo"}
    assert find_named_person([ANNA, BEN], "ben") is BEN
    assert find_named_person([ANNA, BEN], "ANNI") is ANNA
    with pytest.raises(UsageError) as raised:
        find_named_person([ANNA], "Annie")
    assert raised.value.hint == "did you mean Anna?"


def test_groups_are_spelt_as_by_the_first_person() -> None:
    assert group_people([ANNA, BEN]) == {"Chess": (BEN,), "Family": (ANNA, BEN)}
