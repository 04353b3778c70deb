"""An overview of a person: numbers of faces and photos, first and last date, best face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from faceclust.types import FaceOccurrence, Person


@dataclass(frozen=True)
class Overview:
    """A person, or a group without a name, in numbers.

    `confirmed` and `suggested` have face ids. `best` is the chosen picture, as long as it is a face of the person;
    else the confirmed face of the best quality, or the best of all if none is confirmed; None if no photo is available.
    """

    person: Person
    confirmed: tuple[str, ...]
    suggested: tuple[str, ...]
    photos: int
    first: date | None
    last: date | None
    best: FaceOccurrence | None


def build_overview(person: Person, occurrences_of: Mapping[str, Sequence[FaceOccurrence]]) -> Overview:
    """Build the overview of a person; `occurrences_of` maps a face id to its occurrences."""
    occurrences = [found for face in person.face_ids for found in occurrences_of.get(face, ())]
    dates = [found.taken_at.date() for found in occurrences if found.taken_at]

    def rank(face: FaceOccurrence) -> tuple[bool, bool, float, str, str]:
        is_chosen = face.face_id == person.facts.picture
        return not is_chosen, face.face_id not in person.confirmed, -face.quality, face.face_id, face.photo

    return Overview(
        person=person,
        confirmed=tuple(face for face in person.face_ids if face in person.confirmed),
        suggested=tuple(face for face in person.face_ids if face not in person.confirmed),
        photos=len({found.photo for found in occurrences}),
        first=min(dates, default=None),
        last=max(dates, default=None),
        best=min(occurrences, key=rank, default=None),
    )


def format_year_range(dates: Iterable[date | None]) -> str:
    """Format the years of dates as "2019" or "2019–2023"; "" if no date is known."""
    years = sorted({date.year for date in dates if date})
    if not years:
        return ""
    return str(years[0]) if years[0] == years[-1] else f"{years[0]}–{years[-1]}"
