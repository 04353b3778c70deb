"""The contingency table of a clustering: the faces of each person in each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Contingency:
    """The non-empty cells of a contingency table of g groups and p persons, sorted by group, then person.

    `groups` and `persons` (k,) are each cell's row and column: positions among the sorted values.
    `counts` float64 (k,) are the faces in each cell. `group_sizes` (g,) and `person_sizes` (p,),
    float64, are the row and column sums.
    """

    groups: NDArray[np.intp]
    persons: NDArray[np.intp]
    counts: NDArray[np.float64]
    group_sizes: NDArray[np.float64]
    person_sizes: NDArray[np.float64]

    @property
    def group_starts(self) -> NDArray[np.intp]:
        """The position of each group's first cell, (g,)."""
        return np.flatnonzero(np.diff(self.groups, prepend=-1))


def build_contingency(groups: ArrayLike, persons: ArrayLike) -> Contingency:
    """Count the faces of each person in each group, from both labels of each face, (n,).

    A negative group means a face on its own: each such face becomes a group.
    """
    group_labels = np.array(groups, dtype=np.int64)
    singletons = np.flatnonzero(group_labels < 0)
    group_labels[singletons] = group_labels.max(initial=0) + 1 + np.arange(len(singletons))
    _, group = np.unique(group_labels, return_inverse=True)
    _, person = np.unique(np.asarray(persons), return_inverse=True)
    width = int(person.max(initial=0)) + 1
    cells, counts = np.unique(group * width + person, return_counts=True)
    return Contingency(
        cells // width,
        cells % width,
        counts.astype(np.float64),
        np.bincount(group).astype(np.float64),
        np.bincount(person).astype(np.float64),
    )
