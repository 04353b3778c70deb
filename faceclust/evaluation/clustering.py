"""How well groups match persons: BCubed and pairwise precision, recall and F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Score:
    """Precision, recall, and F, their harmonic mean."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def bcubed(groups: ArrayLike, persons: ArrayLike) -> Score:
    """BCubed (Bagga & Baldwin 1998): the mean over faces of the share of its group that is its
    person (precision), and of its person that is in its group (recall). A negative group is
    a face alone."""
    both, group, person = _contingency(groups, persons)
    n = group.sum()
    return Score(
        precision=float((both.counts**2 / group[both.groups]).sum() / n),
        recall=float((both.counts**2 / person[both.persons]).sum() / n),
    )


def pairwise(groups: ArrayLike, persons: ArrayLike) -> Score:
    """Over all pairs of faces: the share of pairs put together that are one person (precision),
    and of pairs of one person that are put together (recall); 1 where there is no such pair."""
    both, group, person = _contingency(groups, persons)

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    right = pairs(both.counts)
    return Score(
        precision=right / pairs(group) if pairs(group) else 1.0,
        recall=right / pairs(person) if pairs(person) else 1.0,
    )


@dataclass(frozen=True)
class _Cells:
    groups: NDArray[np.intp]
    persons: NDArray[np.intp]
    counts: NDArray[np.float64]


def _contingency(groups: ArrayLike, persons: ArrayLike) -> tuple[_Cells, NDArray[np.float64], NDArray[np.float64]]:
    group = np.array(groups, dtype=np.int64)
    alone = np.flatnonzero(group < 0)
    group[alone] = group.max(initial=0) + 1 + np.arange(len(alone))
    _, group = np.unique(group, return_inverse=True)
    _, person = np.unique(np.asarray(persons), return_inverse=True)
    width = int(person.max(initial=0)) + 1
    cells, counts = np.unique(group * width + person, return_counts=True)
    found = _Cells(cells // width, cells % width, counts.astype(np.float64))
    return found, np.bincount(group).astype(np.float64), np.bincount(person).astype(np.float64)
