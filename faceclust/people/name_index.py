"""The names that find a person, and the groups that people are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from faceclust.people.names import person_key
from faceclust.types import NO_FACTS, Person, PersonFacts


def index_names(
    people: Iterable[Person], missing_names: Iterable[str], facts: Mapping[str, PersonFacts]
) -> dict[str, str]:
    """Map the keys of all names and aliases to the name of the person.

    `missing_names` are those of people whose photos are missing; `facts` are by key. A name takes precedence over an
    alias of somebody else. Of two people with one alias, the first one counts.
    """
    names = {person_key(name): name for name in chain((person.label for person in people), sorted(missing_names))}
    aliases: dict[str, str] = {}
    for key, name in names.items():
        for alias in facts.get(key, NO_FACTS).aliases:
            aliases.setdefault(person_key(alias), name)
    return {**aliases, **names}


def group_people(people: Iterable[Person]) -> dict[str, tuple[Person, ...]]:
    """Map each group of people, as first spelt, to its people, in their order. The groups are in alphabetical order."""
    spelling: dict[str, str] = {}
    members: dict[str, list[Person]] = {}
    for person in people:
        for group in person.facts.groups:
            spelling.setdefault(person_key(group), group)
            members.setdefault(person_key(group), []).append(person)
    return {spelling[key]: tuple(members[key]) for key in sorted(members)}
