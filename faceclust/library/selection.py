"""The faces that a user means: by group number, name, face id or PHOTO#N."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TypeAlias

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.face_selection import FaceSelection
from faceclust.errors import UsageError
from faceclust.types import Person
from faceclust.types.arguments import as_list

#: A group number, a person's name, a face id, or PHOTO#N: face N of a photo, from the left.
Selector: TypeAlias = int | str
#: One or more of these.
Selectors: TypeAlias = Selector | Iterable[Selector]


def resolve_faces(library: Catalogue, selectors: Selectors, *, person: str | None = None) -> list[str]:
    """Return the face ids of groups, people and faces, each once.

    Of a group that is partly the `person`'s, only that person's faces are meant. Raises UsageError for
    an unknown group, person or face.
    """
    faces: dict[str, None] = {}
    for selector in as_list(selectors):
        if (face := library.find_face(selector)) is not None:
            faces[face] = None
            continue
        selection = library.select_faces(selector)
        theirs = [face for face in selection.all_faces if _name_of_face(library, face) == person] if person else []
        faces |= dict.fromkeys(theirs or selection.faces)
    return list(faces)


def require_face(library: Catalogue, selector: Selector) -> str:
    """Return the id of one face, given by its id or as PHOTO#N. Raises UsageError for anything else."""
    face = library.find_face(selector)
    if face is None:
        raise UsageError(f"{selector} is not one face", hint="a face is given by its id or as PHOTO#N")
    return face


def find_owner(library: Catalogue, selector: Selector) -> Person:
    """Return the person of a name, or the named one whose faces a group has.

    Raises UsageError if a group has no named person, or several.
    """
    selection = library.select_faces(selector)
    people = {library.person_of[face].id: library.person_of[face] for face in _named_faces(selection, library)}
    if not people:
        raise UsageError(
            f"{selection.label} has no name yet", hint=f'faceclust name {selector} "NAME" names and confirms it'
        )
    if len(people) > 1:
        raise UsageError(
            f"{selection.label} belongs to several people", hint="choose one of them: faceclust confirm NAME FACE..."
        )
    return next(iter(people.values()))


def find_suggested(library: Catalogue, selectors: Selectors) -> tuple[Person, list[str]]:
    """Return the person of these groups, names or faces, and the faces of it that are only suggested.

    Raises UsageError if they have no named person, or several, or if all faces are confirmed.
    """
    listed = as_list(selectors)
    people = {person.id: person for person in (find_owner(library, selector) for selector in listed)}
    if len(people) != 1:
        raise UsageError("confirm one person at a time", hint="name the person")
    (person,) = people.values()
    selections = [library.select_faces(selector) for selector in listed]
    chosen = {face for selection in selections for face in _named_faces(selection, library)}
    if not chosen - person.confirmed:
        labels = " and ".join(selection.label for selection in selections)
        raise UsageError(f"all faces of {labels} are already confirmed", hint="faceclust people shows the counts")
    return person, sorted(chosen - person.confirmed)


def _named_faces(selection: FaceSelection, library: Catalogue) -> list[str]:
    """The faces of a selection that a named person has."""
    return [face for face in selection.all_faces or selection.faces if face in library.person_of]


def refuse_named_groups(library: Catalogue, selectors: Iterable[Selector], hint: str) -> None:
    """Raises UsageError if one of these is a group whose faces all have a name.

    A group number is easily mistyped. `hint` contains {name}.
    """
    for selector in selectors:
        if library.find_face(selector) is not None:
            continue
        selection = library.select_faces(selector)
        names = sorted({name for face in selection.all_faces if (name := _name_of_face(library, face))})
        if names and set(selection.faces) == set(selection.all_faces):
            raise UsageError(
                f"{selection.label} is already {' and '.join(names)}", hint=hint.format(name=shlex.quote(names[0]))
            )


def _name_of_face(library: Catalogue, face: str) -> str | None:
    return library.person_of[face].label if face in library.person_of else None
