"""Which photos go into which album."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from faceclust.errors import UsageError
from faceclust.types import FaceOccurrence, Person


@dataclass(frozen=True)
class Album:
    """The photos (paths below the library) of somebody, or of several people together. `id` tells
    it from others, whatever they are called."""

    id: str
    label: str
    photos: frozenset[str]


@dataclass(frozen=True)
class AlbumMember:
    """Somebody an album is of: what they are called, the faces, and which of them are confirmed."""

    id: str
    label: str
    faces: Iterable[str]
    confirmed: frozenset[str]

    @classmethod
    def from_person(cls, person: Person) -> AlbumMember:
        """A named person, or a group without a name."""
        return cls(person.id, person.label, person.face_ids, person.confirmed)


@dataclass(frozen=True)
class AlbumFilter:
    """Which faces count: those of `min_quality` (0 to 1) or better, confirmed ones where that is
    asked for, on photos taken from `since` to `until`, both inclusive."""

    min_quality: float = 0.0
    confirmed: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 1:
            raise UsageError(f"quality {self.min_quality} is not between 0 and 1")

    def accepts(self, occurrence: FaceOccurrence) -> bool:
        """Whether a face on a photo is as asked for, leaving aside who it is."""
        if occurrence.quality < self.min_quality:
            return False
        if self.since is None and self.until is None:
            return True
        taken = occurrence.taken_at
        return taken is not None and (self.since or taken) <= taken <= (self.until or taken)


def build_album(
    members: Sequence[AlbumMember], occurrences_of: Mapping[str, Iterable[FaceOccurrence]], album_filter: AlbumFilter
) -> Album:
    """The album of the photos with all of these people on them, called "Anna + Ben". Raises
    UsageError where somebody is named twice."""
    if len({member.id for member in members}) < len(members):
        raise UsageError(f"{' and '.join(member.label for member in members)}: somebody is named twice")
    photos = [
        {
            place.photo
            for face in member.faces
            if not album_filter.confirmed or face in member.confirmed
            for place in occurrences_of.get(face, ())
            if album_filter.accepts(place)
        }
        for member in members
    ]
    return Album(
        " + ".join(member.id for member in members),
        " + ".join(member.label for member in members),
        frozenset(set.intersection(*photos)),
    )


def split_names(text: str) -> list[str]:
    """The names in "Anna,Ben"; one with a comma in it stands in double quotes, as in a CSV file.
    Raises UsageError where there are not two."""
    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        row = []
    names = [name.strip() for name in row]
    if len(names) < 2 or not all(names):
        raise UsageError(
            f"{text!r} does not name several people",
            hint="""write Anna,Ben; a name with a comma in it goes in double quotes: '"Doe, Jane",Ben'""",
        )
    return names
