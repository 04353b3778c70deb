"""Select the photos of each album."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from faceclust.errors import UsageError
from faceclust.files.safe_paths import is_at_or_below
from faceclust.types import FaceOccurrence, Person


@dataclass(frozen=True)
class Album:
    """The photos (paths below the library) of a person, or of several people together.

    `id` is unique; labels need not be.
    """

    id: str
    label: str
    photos: frozenset[str]


@dataclass(frozen=True)
class AlbumMember:
    """A person or group that an album is about: label, face ids, and the confirmed ones among them."""

    id: str
    label: str
    faces: Iterable[str]
    confirmed: frozenset[str]

    @classmethod
    def from_person(cls, person: Person) -> AlbumMember:
        """Create a member from a named person or a group without a name."""
        return cls(person.id, person.label, person.face_ids, person.confirmed)

    @classmethod
    def from_people(cls, name: str, people: Sequence[Person]) -> AlbumMember:
        """Create a member from a group of people, such as Family: a photo of anybody in it is one of the group."""
        faces = {face for person in people for face in person.face_ids}
        confirmed = frozenset().union(*(person.confirmed for person in people))
        return cls(f"people {name}", name, sorted(faces), confirmed)


@dataclass(frozen=True)
class AlbumFilter:
    """The conditions that a face has to meet.

    Its quality is at least `min_quality` (0 to 1), and it is confirmed if `confirmed` is set. Its photo
    was taken between `since` and `until`, both inclusive, and is in or below `folder` (POSIX path below the
    library, "" for all of it).
    """

    min_quality: float = 0.0
    confirmed: bool = False
    since: datetime | None = None
    until: datetime | None = None
    folder: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 1:
            raise UsageError(f"the quality must be between 0 and 1, not {self.min_quality}")

    def accepts(self, occurrence: FaceOccurrence) -> bool:
        """Does a face meet the conditions on quality, date and place?"""
        if occurrence.quality < self.min_quality or not is_at_or_below(occurrence.photo, self.folder):
            return False
        if self.since is None and self.until is None:
            return True
        taken = occurrence.taken_at
        return taken is not None and (self.since or taken) <= taken <= (self.until or taken)


def build_album(
    members: Sequence[AlbumMember], occurrences_of: Mapping[str, Iterable[FaceOccurrence]], album_filter: AlbumFilter
) -> Album:
    """Build the album of the photos that show all members, labelled "Anna + Ben".

    Raises UsageError if a member occurs twice.
    """
    if len({member.id for member in members}) < len(members):
        raise UsageError(f"{' and '.join(member.label for member in members)}: somebody is named twice")
    photos = [
        {
            occurrence.photo
            for face in member.faces
            if not album_filter.confirmed or face in member.confirmed
            for occurrence in occurrences_of.get(face, ())
            if album_filter.accepts(occurrence)
        }
        for member in members
    ]
    return Album(
        " + ".join(member.id for member in members),
        " + ".join(member.label for member in members),
        frozenset(set.intersection(*photos)),
    )


def split_names(text: str) -> list[str]:
    """Split "Anna,Ben" into names; a name with a comma is in double quotes, as in CSV.

    Raises UsageError unless there are at least two.
    """
    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        row = []
    names = [name.strip() for name in row]
    if len(names) < 2 or not all(names):
        raise UsageError(
            f"{text!r} must name at least two people",
            hint="""write Anna,Ben; a name with a comma goes in double quotes: '"Doe, Jane",Ben'""",
        )
    return names
