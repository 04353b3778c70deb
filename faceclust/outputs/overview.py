"""Each person in a line: how many faces and photos, from when to when, the best face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from faceclust.types import FaceOccurrence, Person


@dataclass(frozen=True)
class Overview:
    """A person, or a group without a name, in numbers. `suggested` are the faces, by their ids,
    that came with the group and were not confirmed. `best` is the confirmed face of the best
    quality, where none is confirmed the best of all; None where no photo is here."""

    person: Person
    confirmed: tuple[str, ...]
    suggested: tuple[str, ...]
    photos: int
    first: date | None
    last: date | None
    best: FaceOccurrence | None


def build_overview(person: Person, occurrences_of: Mapping[str, Sequence[FaceOccurrence]]) -> Overview:
    """What can be said of a person; `places_of`: face id → the photos it is on."""
    mine = [place for face in person.face_ids for place in occurrences_of.get(face, ())]
    days = [place.taken_at.date() for place in mine if place.taken_at]

    def merit(place: FaceOccurrence) -> tuple[bool, float, str, str]:
        return place.face_id not in person.confirmed, -place.quality, place.face_id, place.photo

    return Overview(
        person=person,
        confirmed=tuple(face for face in person.face_ids if face in person.confirmed),
        suggested=tuple(face for face in person.face_ids if face not in person.confirmed),
        photos=len({place.photo for place in mine}),
        first=min(days, default=None),
        last=max(days, default=None),
        best=min(mine, key=merit, default=None),
    )


def format_year_range(dates: Iterable[date | None]) -> str:
    """ "2019", "2019–2023", or "" where no date is known."""
    years = sorted({date.year for date in dates if date})
    if not years:
        return ""
    return str(years[0]) if years[0] == years[-1] else f"{years[0]}–{years[-1]}"
