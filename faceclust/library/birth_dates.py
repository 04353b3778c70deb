"""Find faces dated before the birth of the person whose name they have, and tell the user about them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, NothingScannedError, UsageError
from faceclust.people.events import Event
from faceclust.text.plural import format_count
from faceclust.types import Person

_MAX_LISTED_PHOTOS = 3


def faces_before_birth(library: Catalogue, person: Person | str) -> list[str]:
    """Return the ids of a person's confirmed faces on photos dated before the person's birth, by photo.

    Only what is before the birth by more than the doubt of the date counts: see `people.date_evidence`. These faces
    keep the name. `person`: a person of this library, or the name of one. Empty without a birth date. Raises
    UsageError if nobody has this name.
    """
    found = library.find_person(person) if isinstance(person, str) else person
    early = library.date_evidence.find_before_birth(found.label, found.confirmed)
    return sorted(early, key=lambda face: (library.occurrences_of[face][0].photo, face))


def find_contradictions(library: Catalogue) -> dict[str, list[str]]:
    """Return the people with confirmed faces from before their birth: the name → the faces, as `faces_before_birth`.

    Raises NothingScannedError before the first scan, CacheError if a cache or the journal cannot be read.
    """
    if not any(event.facts is not None and event.facts.born for event in library.journal.events()):
        return {}  # spares reading the faces
    found = {person.label: faces_before_birth(library, person) for person in library.people()}
    return {name: early for name, early in found.items() if early}


def describe_contradiction(library: Catalogue, name: str, early: Collection[str]) -> str:
    """Describe a person's confirmed faces from before the birth, and what to check."""
    verb = "is" if len(early) == 1 else "are"
    return f"{format_count(len(early), 'confirmed face')} of {name} {verb} on {_describe_check(library, name, early)}"


@contextmanager
def note_added_contradictions(library: Catalogue) -> Iterator[None]:
    """Note afterwards whose confirmed faces from before the birth became more. Caches that are missing or damaged
    give no note: the answers do not need them."""
    before = _find_readable_contradictions(library)
    yield
    for name, early in _find_readable_contradictions(library).items():
        if not set(before.get(name, ())).issuperset(early):
            library.progress.note(describe_contradiction(library, name, early))


def _find_readable_contradictions(library: Catalogue) -> Mapping[str, list[str]]:
    try:
        return find_contradictions(library)
    except (NothingScannedError, CacheError):
        return {}


def note_contradictions(library: Catalogue, event: Event) -> None:
    """Note what an answer gives names to, or says about a birth, against the dates of photos."""
    if event.kind in ("name", "confirm") and event.name is not None:
        confirmed = [face.face_id for face in event.faces if face.confirmed]
        note_named_before_birth(library, event.name, [face.face_id for face in event.faces], confirmed)
    elif event.kind == "merge" and event.to is not None:
        note_confirmed_before_birth(library, event.to)
    elif event.facts is not None and event.facts.born and event.name is not None:
        note_confirmed_before_birth(library, event.name)


def note_named_before_birth(library: Catalogue, name: str, faces: Collection[str], confirmed: Collection[str]) -> None:
    """Note how many of the faces that just got this name are dated before the person's birth.

    `confirmed`: those of them that still keep the name. The others are not suggested.
    """
    early = library.date_evidence.find_before_birth(name, faces)
    if not early:
        return
    if len(early) == len(faces):
        subject = "this face is" if len(faces) == 1 else f"these {len(faces):,} faces are"
    else:
        subject = f"{len(early):,} of these faces {'is' if len(early) == 1 else 'are'}"
    left_out = len(set(early).difference(confirmed))
    not_suggested = f"; {format_count(left_out, 'face')} not suggested" if left_out else ""
    library.progress.note(f"{subject} on {_describe_check(library, name, early)}{not_suggested}")


def note_confirmed_before_birth(library: Catalogue, name: str) -> None:
    """Note how many confirmed faces of the person of this name are dated before the birth."""
    try:
        early = faces_before_birth(library, name)
    except UsageError:  # all photos of the person are missing
        return
    if early:
        library.progress.note(describe_contradiction(library, name, early))


def _describe_check(library: Catalogue, name: str, early: Collection[str]) -> str:
    """Describe the photos of faces dated before a birth, and what to check."""
    photos = sorted({library.occurrences_of[face][0].photo for face in early})
    more = f" and {len(photos) - _MAX_LISTED_PHOTOS:,} more" if len(photos) > _MAX_LISTED_PHOTOS else ""
    born = library.date_evidence.birth_of(name)
    return (
        f"{'a photo' if len(photos) == 1 else 'photos'} dated before {name} was born ({born}): "
        f"check the date of {', '.join(photos[:_MAX_LISTED_PHOTOS])}{more}, or the birth "
        f"(faceclust person {shlex.quote(name)})"
    )
