"""A person's faces by year and month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from faceclust.outputs.ages import format_age, format_age_range
from faceclust.outputs.report.values import FacePicture, Month, Year
from faceclust.types import NO_FACTS, FaceOccurrence, PersonFacts


def to_face_picture(
    occurrence: FaceOccurrence,
    confirmed: Collection[str],
    number_of: Mapping[str, int],
    facts: PersonFacts = NO_FACTS,
) -> FacePicture:
    """Convert a face to its form in the report. `number_of`: see `types.face_numbers.number_faces`."""
    face, taken = occurrence.face_id, occurrence.taken_at
    age = format_age(facts, taken.date()) if taken else ""
    return FacePicture(
        face, occurrence.photo, number_of[face], taken, face in confirmed, age=age, frame_time=occurrence.frame_time
    )


def select_faces_across_years(faces: Iterable[FaceOccurrence], count: int) -> list[FaceOccurrence]:
    """Select at most `count` faces of the best quality, spread over the years; the best of all first."""
    by_year: dict[int, list[FaceOccurrence]] = defaultdict(list)
    for face in sorted(faces, key=_quality_key):
        by_year[face.taken_at.year if face.taken_at else 0].append(face)
    selected: list[FaceOccurrence] = []
    for rank in range(max(map(len, by_year.values()), default=0)):
        if len(selected) >= count:
            break
        selected += sorted((year[rank] for year in by_year.values() if rank < len(year)), key=_quality_key)
    return selected[:count]


def build_timeline(
    faces: Sequence[FaceOccurrence],
    pictured: Collection[str],
    confirmed: Collection[str],
    number_of: Mapping[str, int],
    facts: PersonFacts = NO_FACTS,
) -> tuple[Year, ...]:
    """Group faces by year and month, oldest first, undated ones last.

    Each month has its pictured faces, best quality first.
    """
    years: dict[int | None, dict[int | None, list[FaceOccurrence]]] = defaultdict(lambda: defaultdict(list))
    for face in faces:
        taken = face.taken_at
        years[taken.year if taken else None][taken.month if taken else None].append(face)
    sizes = {year: sum(map(len, months.values())) for year, months in years.items()}
    fullest = max(sizes.values(), default=1)
    found = []
    for year in sorted(years, key=_undated_last_key):
        months = tuple(_build_months(years[year], pictured, confirmed, number_of, facts))
        days = [face.taken_at.date() for month in years[year].values() for face in month if face.taken_at]
        age = format_age_range(facts, days) if facts.born else ""
        found.append(Year(year, sizes[year], sizes[year] / fullest, months, age))
    return tuple(found)


def _build_months(
    months: dict[int | None, list[FaceOccurrence]],
    pictured: Collection[str],
    confirmed: Collection[str],
    number_of: Mapping[str, int],
    facts: PersonFacts,
) -> Iterable[Month]:
    for month in sorted(months, key=_undated_last_key):
        shown = sorted((face for face in months[month] if face.face_id in pictured), key=_quality_key)
        pictures = tuple(to_face_picture(face, confirmed, number_of, facts) for face in shown)
        yield Month(month, pictures, len(months[month]) - len(pictures))


def _undated_last_key(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0


def _quality_key(occurrence: FaceOccurrence) -> tuple[float, str]:
    return -occurrence.quality, occurrence.face_id
