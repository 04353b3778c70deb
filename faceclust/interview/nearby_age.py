"""Compare faces of a child with the person's confirmed faces of nearby ages.

This changes the order of faces and the pictures beside a question, not what is asked about. Two faces of one person are
as far apart in age as their photos are in time, so that the birth date only decides who was a child.

The distance of a face from a person is the mean squared L2, with local scaling, to the person's confirmed faces nearest
in time: at most NEAREST_FACES of them, taken at most MAX_YEARS_APART before or after the face. MagFace still verifies
94.9 % of children over three years, at 0.1 % false accepts, and 98.3 % over half a year (Bahmani and Schuckers, "Face
Recognition in Children: A Longitudinal Study", 2022, arXiv 2204.01760); nothing longer was measured there.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar

import numpy as np

from faceclust.people.date_evidence import DateEvidence
from faceclust.people.similarity import GroupDistances
from faceclust.types import Person

#: Confirmed faces that a face is compared with: enough that one odd picture does not decide.
NEAREST_FACES = 5
MAX_YEARS_APART = 3
#: Items that are put in order: the first of them, which bounds the time. A question shows a dozen.
_MAX_ORDERED = 300
_MAX_DAYS_APART = round(MAX_YEARS_APART * 365.25)

T = TypeVar("T")


class NearbyAges:
    """The confirmed faces of a person, by the day on which they were photographed."""

    def __init__(self, person: Person, evidence: DateEvidence) -> None:
        self._name, self._evidence = person.label, evidence
        dated: list[tuple[date, str]] = []
        if evidence.birth_of(person.label) is not None:
            dated = sorted((day, face) for face in person.confirmed if (day := evidence.day_of(face)) is not None)
        self._days, self._faces = [day.toordinal() for day, _ in dated], [face for _, face in dated]

    def __bool__(self) -> bool:
        """Whether faces can be compared with others of nearby ages at all."""
        return bool(self._faces)

    def confirmed_near(self, face: str) -> list[str]:
        """Return the confirmed faces nearest in time to a face of the person as a child; none for other faces."""
        day = self._evidence.childhood_day_of(self._name, face)
        return [] if day is None else self._nearest(day.toordinal())

    def examples_for(self, faces: Iterable[str]) -> list[str]:
        """Return the confirmed faces to show beside these: those nearest in time to the median childhood day."""
        days = [day for face in faces if (day := self._evidence.childhood_day_of(self._name, face)) is not None]
        return self._nearest(statistics.median_low(days).toordinal()) if days and self._faces else []

    def _nearest(self, day: int) -> list[str]:
        place = bisect_left(self._days, day)
        around = range(max(0, place - NEAREST_FACES - 1), min(len(self._days), place + NEAREST_FACES + 1))
        near = [
            (abs(self._days[i] - day), self._faces[i]) for i in around if abs(self._days[i] - day) <= _MAX_DAYS_APART
        ]
        return [face for _, face in sorted(near)[:NEAREST_FACES]]


def order_by_nearby_age(
    items: Sequence[T],
    faces_of: Callable[[T], Sequence[str]],
    person: Person,
    evidence: DateEvidence,
    group_distances: GroupDistances,
    *,
    farthest_first: bool = False,
) -> list[T]:
    """Return the items with those of the person's childhood in the order of their distances, the nearest first.

    The others keep their places, and so do items that cannot be compared with faces of nearby ages. `faces_of` returns
    the faces of an item, whose mean distance counts.
    """
    ages = NearbyAges(person, evidence) if evidence else None
    if not ages:
        return list(items)
    scores = [_score(faces_of(item), ages, group_distances) for item in items[:_MAX_ORDERED]]
    scored = [(i, score) for i, score in enumerate(scores) if score is not None]
    order = sorted(scored, key=lambda place: (-place[1] if farthest_first else place[1], place[0]))
    found = list(items)
    for (to, _), (source, _) in zip(scored, order, strict=True):
        found[to] = items[source]
    return found


def _score(faces: Iterable[str], ages: NearbyAges, group_distances: GroupDistances) -> float | None:
    """Return the mean distance of faces from the confirmed ones of nearby ages; None if none can be compared."""
    distances = []
    for face in faces:
        near = [other for other in ages.confirmed_near(face) if group_distances.can_compare(other)]
        if near and group_distances.can_compare(face):
            distances.append(group_distances.mean_distance(face, near))
    return float(np.mean(distances)) if distances else None
