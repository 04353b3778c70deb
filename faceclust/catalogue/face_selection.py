"""The faces and persons that a user means by a name or a number."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceclust.catalogue.photo_addresses import find_numbered_face, find_photo
from faceclust.errors import UsageError
from faceclust.people.names import person_key, shorten_name
from faceclust.types import Person
from faceclust.types.face_numbers import format_face_address, split_face_address

if TYPE_CHECKING:
    from faceclust.catalogue.catalogue import Catalogue


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


def find_person(library: Catalogue, name: str) -> Person:
    """Return the person of this name or alias. Raises UsageError if no person has this name."""
    return find_named_person(library.people(), name)


def find_group(library: Catalogue, text: str) -> tuple[Person, ...] | None:
    """Return the named persons of a group of people, such as "Family"; None if there is no such group."""
    key = person_key(shorten_name(text))
    return next((people for group, people in library.people_groups.items() if person_key(group) == key), None)


def select_faces(library: Catalogue, selector: int | str) -> FaceSelection:
    """Return the faces of a group by its number, a face by its id or as PHOTO#N, or a person by name.

    Raises UsageError if there is no such group, face, photo or person.
    """
    text = selector if isinstance(selector, str) else group_number_text(selector)
    if (face := find_face(library, text)) is not None:
        owner = library.person_of.get(face)
        return FaceSelection(f"face {text}", (face,), owner.label if owner else None)
    if re.fullmatch("[0-9]{1,9}", text):
        return _select_group(library, int(text))
    person = find_person(library, text)
    return FaceSelection(person.label, person.face_ids, person.label, is_person=True)


def find_face(library: Catalogue, selector: int | str) -> str | None:
    """Return the id of the face that is given by its id or as PHOTO#N; None for a group or a name.

    Raises UsageError if there is no such face or photo.
    """
    if not isinstance(selector, str):
        return None
    if re.fullmatch("[0-9a-fA-F]{16}", selector):
        if selector.lower() not in library.occurrences_of:
            raise UsageError(f"there is no face {selector}", hint="faceclust export lists the faces")
        return selector.lower()
    typed, number = split_face_address(selector)
    if number is None or person_key(selector) in library.known_names:
        return None
    photo = find_photo(library.roots, library.photos, typed)
    return find_numbered_face(library.faces_on.get(library.photos[photo].photo_hash, ()), photo, number)


def faces_in_group(library: Catalogue, number: int) -> tuple[str, ...]:
    """Return the face ids of a group that an answer about the group is about.

    These are its faces without a name, or else its ignored ones, or else all; faces of groups
    declared the same person are included. Raises UsageError if there is no such group.
    """
    number = int(group_number_text(number))
    if number not in library.group_members:
        known = "faceclust people --all lists them" if library.group_members else "faceclust cluster"
        raise UsageError(f"there is no group {number}", hint=known)
    unnamed = [person for person in library.persons if person.name is None and number in person.clusters]
    unnamed.sort(key=lambda person: person.ignored)
    return unnamed[0].face_ids if unnamed else library.group_members[number]


def address_of(library: Catalogue, face: str) -> str:
    """Return a face of the library as PHOTO#N: its number from the left on the photo."""
    found = library.occurrences_of[face][0]
    numbers = [other.face_id for other in library.faces_on[found.photo_hash]]
    return format_face_address(found.photo, numbers.index(face) + 1)


def _select_group(library: Catalogue, number: int) -> FaceSelection:
    faces, all_faces = faces_in_group(library, number), library.group_members[number]
    owners = {library.person_of[face].label if face in library.person_of else None for face in faces}
    name = owners.pop() if len(owners) == 1 else None
    return FaceSelection(f"group {number}", faces, name, all_faces=all_faces)
