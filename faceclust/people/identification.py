"""Who is this? Open-set identification by the k nearest faces of each person.

A person is as far from a face as the mean of that person's k faces nearest to it, in squared
L2. A mean of m faces lies nearer to everybody, strangers too, than a single face does; to let one
threshold fit people known by one face and by many, ALLOWANCE · (1 − 1/m) is added.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Float64, check_array

#: Up to it two single faces are one person: the best accuracy over LFW's ten folds.
VERIFY_THRESHOLD = 1.8
#: Faces of each person that count.
NEIGHBOURS = 10
#: Chosen on LFW from 0 to 0.3, with galleries from one face a person to 300.
MEAN_PENALTY = 0.15
#: With as many strangers as known people, names up to this distance are right in 999 cases of 1,000, …
_CLOSE_DISTANCE = 0.8
#: … up to this one in 95 to 98 of 100, by the number of people known, beyond it in 69 to 84; …
_LIKELY_DISTANCE = 1.0
#: … but where the next person is not this much farther, in 30 to 90 of 100 whatever the distance.
_CLEAR_MARGIN = 0.2


@dataclass(frozen=True)
class PersonDistance:
    """A person, and how far a face is from them."""

    name: str
    distance: float


@dataclass(frozen=True)
class Gallery:
    """Faces with known names, (n,) each, and their embeddings (n, d). `photo_ids` tell which
    faces are of one photo."""

    names: NDArray[np.str_]
    photo_ids: NDArray[np.str_]
    embeddings: Float32

    def __post_init__(self) -> None:
        check_array("embeddings", self.embeddings, (len(self.names), None), np.float32)
        if self.photo_ids.shape != self.names.shape:
            raise ValueError(f"photo_ids: expected shape {self.names.shape}, got {self.photo_ids.shape}")

    @property
    def people(self) -> list[str]:
        """The names, once each, in the order of the columns of `distances`."""
        return [str(name) for name in np.unique(self.names)]

    def distances(
        self, probes: Float32, k: int = NEIGHBOURS, *, photo_id: str | None = None, mean_penalty: float = MEAN_PENALTY
    ) -> Float64:
        """How far each probe (m, d) is from each person: (m, people). Faces of the photo
        `photo_id`, the probes' own, are left out; a person without others is infinitely far.
        Raises ValueError for k below 1."""
        if k < 1:
            raise ValueError(f"k: expected 1 or more, got {k}")
        names, person = np.unique(self.names, return_inverse=True)
        usable = np.flatnonzero(self.photo_ids != photo_id) if photo_id is not None else np.arange(len(person))
        faces, person = self.embeddings[usable], person[usable]
        distances = np.full((len(probes), len(names)), np.inf)
        if len(usable):
            for line, probe in zip(distances, probes, strict=True):
                _fill_distances(line, probe, faces, person, k, mean_penalty)
        return distances


def _fill_distances(
    line: Float64, probe: Float32, faces: Float32, person: NDArray[np.intp], k: int, allowance: float
) -> None:
    apart = ((faces - probe) ** 2).sum(axis=1)
    order = np.lexsort((apart, person))
    owner = person[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(first, append=len(owner))
    rank = np.arange(len(owner)) - np.repeat(first, counts)
    chosen = order[rank < k]
    sizes = np.minimum(counts, k)
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(faces[chosen], starts, axis=0, dtype=np.float64) / sizes[:, None]
    line[owner[first]] = ((means - probe) ** 2).sum(axis=1) + allowance * (1 - 1 / sizes)


def assign_people(
    distances: Float64, threshold: float, *, unique: bool = True, taken_people: Collection[int] = ()
) -> list[int | None]:
    """The person (column) of each face (row) of a photo, None beyond the threshold.

    The nearest pair of face and person first, then the next. `once`: nobody is on a photo twice;
    the people in `taken` are on it already, whatever their distance.
    """
    found: list[int | None] = [None] * len(distances)
    gone = set(taken_people) if unique else set()
    rows, columns = np.nonzero(distances <= threshold)
    for i in np.argsort(distances[rows, columns], kind="stable"):
        row, column = int(rows[i]), int(columns[i])
        if found[row] is None and column not in gone:
            found[row] = column
            if unique:
                gone.add(column)
    return found


def nearest_people(distances: Float64, people: Sequence[str], count: int = 2) -> tuple[PersonDistance, ...]:
    """The `count` nearest people to one face by its line (people,) of distances."""
    order = [i for i in np.argsort(distances, kind="stable")[:count] if np.isfinite(distances[i])]
    return tuple(PersonDistance(people[i], float(distances[i])) for i in order)


def describe_certainty(distance: float, next_distance: float = np.inf) -> str:
    """In a word: how sure a name at this distance is, `other` being that of the next person."""
    if next_distance - distance < _CLEAR_MARGIN or distance > _LIKELY_DISTANCE:
        return "possible"
    return "close" if distance <= _CLOSE_DISTANCE else "likely"
