"""A person's faces by year and month, and which of them are pictured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from faceclust.outputs.report.values import FacePicture, Month, Year
from faceclust.types import FaceOccurrence


def to_face_picture(occurrence: FaceOccurrence, confirmed: Collection[str]) -> FacePicture:
    """A face as the report shows it."""
    return FacePicture(occurrence.face_id, occurrence.photo, occurrence.taken_at, occurrence.face_id in confirmed)


def select_faces_across_years(faces: Iterable[FaceOccurrence], count: int) -> list[FaceOccurrence]:
    """The faces to show of a person: the best ones, spread over the years; the best of all first."""
    by_year: dict[int, list[FaceOccurrence]] = defaultdict(list)
    for place in sorted(faces, key=_quality_key):
        by_year[place.taken_at.year if place.taken_at else 0].append(place)
    rounds: list[FaceOccurrence] = []
    for turn in range(max(map(len, by_year.values()), default=0)):
        if len(rounds) >= count:
            break
        rounds += sorted((year[turn] for year in by_year.values() if turn < len(year)), key=_quality_key)
    return rounds[:count]


def build_timeline(
    faces: Sequence[FaceOccurrence], pictured: Collection[str], confirmed: Collection[str]
) -> tuple[Year, ...]:
    """Years and months, oldest first, what has no date last; in each month the pictured faces, the
    best first."""
    years: dict[int | None, dict[int | None, list[FaceOccurrence]]] = defaultdict(lambda: defaultdict(list))
    for place in faces:
        taken = place.taken_at
        years[taken.year if taken else None][taken.month if taken else None].append(place)
    sizes = {year: sum(map(len, months.values())) for year, months in years.items()}
    fullest = max(sizes.values(), default=1)
    return tuple(
        Year(year, sizes[year], sizes[year] / fullest, tuple(_build_months(years[year], pictured, confirmed)))
        for year in sorted(years, key=_undated_last_key)
    )


def _build_months(
    months: dict[int | None, list[FaceOccurrence]], pictured: Collection[str], confirmed: Collection[str]
) -> Iterable[Month]:
    for month in sorted(months, key=_undated_last_key):
        shown = sorted((place for place in months[month] if place.face_id in pictured), key=_quality_key)
        shots = tuple(to_face_picture(place, confirmed) for place in shown)
        yield Month(month, shots, len(months[month]) - len(shots))


def _undated_last_key(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0


def _quality_key(occurrence: FaceOccurrence) -> tuple[float, str]:
    return -occurrence.quality, occurrence.face_id
