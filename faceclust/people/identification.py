"""Open-set identification by the k nearest faces of each person.

The distance between a face and a person is the squared L2 to the mean of the person's k nearest
faces. The mean of m faces is nearer to everybody than a single face is, also to strangers. So
MEAN_PENALTY · (1 − 1/m) is added, and one threshold fits people with one face and with many. Local
scaling adds the probe's offset and the mean offset of the faces that count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Float64, check_array

#: Two single faces are the same person up to this distance: the accuracy over LFW's ten folds is 99.4 % with
#: MobileFaceNet, and no other threshold is better. With dlib it is 98.4 %, and 99.2 % at 1.75
#: (tests/benchmarks/recognition.py).
VERIFY_THRESHOLD = 1.5
#: The number of each person's faces that count (k).
NEIGHBOURS = 10
#: The best of 0 to 0.3 on LFW, with galleries of 1 to 300 faces per person.
MEAN_PENALTY = 0.15
# The precision of names, with as many strangers as known people (tests/benchmarks/recognition.py):
_CLOSE_DISTANCE = 0.8  # up to here 99.9 %
_LIKELY_DISTANCE = 1.0  # up to here 94 to 99 % (dlib: 95 to 98 %); beyond it 55 to 73 % (69 to 84 %)
_CLEAR_MARGIN = 0.2  # if the second person is not this much farther: up to 82 % (30 to 90 %), whatever the distance


@dataclass(frozen=True)
class PersonDistance:
    """A person and their distance from a face."""

    name: str
    distance: float


@dataclass(frozen=True)
class Gallery:
    """Faces with known names: `names` and `photo_ids` (n,), `embeddings` float32 (n, d).

    `offsets` (n,) are what local scaling adds to the distances of each face, None without it.
    """

    names: NDArray[np.str_]
    photo_ids: NDArray[np.str_]
    embeddings: Float32
    offsets: Float64 | None = None

    def __post_init__(self) -> None:
        check_array("embeddings", self.embeddings, (len(self.names), None), np.float32)
        if self.photo_ids.shape != self.names.shape:
            raise ValueError(f"photo_ids: expected shape {self.names.shape}, got {self.photo_ids.shape}")

    @property
    def people(self) -> list[str]:
        """The distinct names, in the order of the columns of `distances`."""
        return [str(name) for name in np.unique(self.names)]

    def distances(
        self,
        probes: Float32,
        k: int = NEIGHBOURS,
        *,
        photo_id: str | None = None,
        mean_penalty: float = MEAN_PENALTY,
        probe_offsets: Float64 | None = None,
    ) -> Float64:
        """Return the distance between each probe (m, d) and each person, float64 (m, people).

        `probe_offsets` (m,) are what local scaling adds to the distances of each probe. Faces of the
        probes' own photo, `photo_id`, are left out. A person without other faces is at inf. Raises
        ValueError if k is below 1.
        """
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        names, person = np.unique(self.names, return_inverse=True)
        usable = np.flatnonzero(self.photo_ids != photo_id) if photo_id is not None else np.arange(len(person))
        faces, person = self.embeddings[usable], person[usable]
        offsets = np.zeros(len(usable)) if self.offsets is None else self.offsets[usable]
        distances = np.full((len(probes), len(names)), np.inf)
        if len(usable):
            for line, probe in zip(distances, probes, strict=True):
                _fill_distances(line, probe, faces, offsets, person, k, mean_penalty)
        return distances if probe_offsets is None else distances + probe_offsets[:, None]


def _fill_distances(
    line: Float64,
    probe: Float32,
    faces: Float32,
    offsets: Float64,
    person: NDArray[np.intp],
    k: int,
    mean_penalty: float,
) -> None:
    squared = ((faces - probe) ** 2).sum(axis=1)
    order = np.lexsort((squared, person))
    owner = person[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(first, append=len(owner))
    rank = np.arange(len(owner)) - np.repeat(first, counts)
    chosen = order[rank < k]
    sizes = np.minimum(counts, k)
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(faces[chosen], starts, axis=0, dtype=np.float64) / sizes[:, None]
    mean_offsets = np.add.reduceat(offsets[chosen], starts) / sizes
    line[owner[first]] = ((means - probe) ** 2).sum(axis=1) + mean_penalty * (1 - 1 / sizes) + mean_offsets


def assign_people(
    distances: Float64, threshold: float, *, unique: bool = True, taken_people: Collection[int] = ()
) -> list[int | None]:
    """Return the person (column) of each face (row) of a photo; None beyond the threshold.

    The nearest pair of face and person is assigned first. If `unique`, nobody is assigned twice, and
    `taken_people` are on the photo already.
    """
    found: list[int | None] = [None] * len(distances)
    taken = set(taken_people) if unique else set()
    rows, columns = np.nonzero(distances <= threshold)
    for i in np.argsort(distances[rows, columns], kind="stable"):
        row, column = int(rows[i]), int(columns[i])
        if found[row] is None and column not in taken:
            found[row] = column
            if unique:
                taken.add(column)
    return found


def nearest_people(distances: Float64, people: Sequence[str], count: int = 2) -> tuple[PersonDistance, ...]:
    """Return the `count` people nearest to one face, given its distances (people,)."""
    order = [i for i in np.argsort(distances, kind="stable")[:count] if np.isfinite(distances[i])]
    return tuple(PersonDistance(people[i], float(distances[i])) for i in order)


def describe_certainty(distance: float, next_distance: float = np.inf) -> str:
    """Describe the certainty of a name in a word, given the distances of the nearest person and the next one."""
    if next_distance - distance < _CLEAR_MARGIN or distance > _LIKELY_DISTANCE:
        return "possible"
    return "close" if distance <= _CLOSE_DISTANCE else "likely"
