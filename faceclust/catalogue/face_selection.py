"""The faces and persons that a user means by a name or a number."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from dataclasses import dataclass

from faceclust.errors import UsageError
from faceclust.people.names import person_key, shorten_name
from faceclust.types import Person


@dataclass(frozen=True)
class FaceSelection:
    """The faces that a user selected by name, group number, face id or PHOTO#N.

    `name`: the person that all of the faces are, None if they are not one person's. `is_person`: the
    selection was made by that name. `all_faces`: for a group, all its faces; `faces` leaves out those
    of named persons if others remain.
    """

    label: str
    faces: tuple[str, ...]
    name: str | None = None
    is_person: bool = False
    all_faces: tuple[str, ...] = ()


def find_named_person(people: Iterable[Person], name: str) -> Person:
    """Return the person of this name or alias. A name takes precedence.

    Raises UsageError if no person has this name.
    """
    if not isinstance(name, str):
        raise UsageError(f"a person is given by name, not by {name!r}")
    name = shorten_name(name)
    people = tuple(people)
    aliases = {person_key(alias): person for person in reversed(people) for alias in person.facts.aliases}
    by_key = aliases | {person_key(person.label): person for person in people}
    if person_key(name) in by_key:
        return by_key[person_key(name)]
    near = [key for key in by_key if person_key(name) in key][:3]
    near = near or difflib.get_close_matches(person_key(name), by_key, n=3)
    meant = " or ".join(dict.fromkeys(by_key[key].label for key in near))
    hint = f"did you mean {meant}?" if near else "faceclust people lists the names"
    raise UsageError(f"nobody is called {name}", hint=hint)


def group_number_text(number: int) -> str:
    """Return a group number as the user types it. Raises UsageError for what is no number."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise UsageError(f"faces are given by group number, name, face id or PHOTO#N, not by {type(number).__name__}")
    return str(operator.index(number))
