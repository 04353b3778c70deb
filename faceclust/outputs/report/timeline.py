"""A person's faces by year and month, and which of them are pictured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from faceclust.outputs.report.values import Month, Shot, Year
from faceclust.types import FacePlace


def shot_of(place: FacePlace, confirmed: Collection[str]) -> Shot:
    """A face as the report shows it."""
    return Shot(place.face_id, place.photo, place.taken_at, place.face_id in confirmed)


def pictured_faces(faces: Iterable[FacePlace], count: int) -> list[FacePlace]:
    """The faces to show of a person: the best ones, spread over the years; the best of all first."""
    by_year: dict[int, list[FacePlace]] = defaultdict(list)
    for place in sorted(faces, key=_merit):
        by_year[place.taken_at.year if place.taken_at else 0].append(place)
    rounds: list[FacePlace] = []
    for turn in range(max(map(len, by_year.values()), default=0)):
        if len(rounds) >= count:
            break
        rounds += sorted((year[turn] for year in by_year.values() if turn < len(year)), key=_merit)
    return rounds[:count]


def time_line(faces: Sequence[FacePlace], pictured: Collection[str], confirmed: Collection[str]) -> tuple[Year, ...]:
    """Years and months, oldest first, what has no date last; in each month the pictured faces, the
    best first."""
    years: dict[int | None, dict[int | None, list[FacePlace]]] = defaultdict(lambda: defaultdict(list))
    for place in faces:
        taken = place.taken_at
        years[taken.year if taken else None][taken.month if taken else None].append(place)
    sizes = {year: sum(map(len, months.values())) for year, months in years.items()}
    fullest = max(sizes.values(), default=1)
    return tuple(
        Year(year, sizes[year], sizes[year] / fullest, tuple(_months(years[year], pictured, confirmed)))
        for year in sorted(years, key=_undated_last)
    )


def _months(
    months: dict[int | None, list[FacePlace]], pictured: Collection[str], confirmed: Collection[str]
) -> Iterable[Month]:
    for month in sorted(months, key=_undated_last):
        shown = sorted((place for place in months[month] if place.face_id in pictured), key=_merit)
        shots = tuple(shot_of(place, confirmed) for place in shown)
        yield Month(month, shots, len(months[month]) - len(shots))


def _undated_last(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0


def _merit(place: FacePlace) -> tuple[float, str]:
    return -place.quality, place.face_id
