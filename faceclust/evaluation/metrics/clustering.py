"""How well groups match persons: BCubed, pairwise and by information."""

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
class InformationScores:
    """What groups tell of persons, by entropies over the faces: `homogeneity`, 1 where no group holds
    two persons, `completeness`, 1 where no person is in two groups, and `nmi`, the mutual information
    over the geometric mean of the two entropies."""

    homogeneity: float
    completeness: float
    nmi: float

    @property
    def v_measure(self) -> float:
        """The harmonic mean of homogeneity and completeness."""
        total = self.homogeneity + self.completeness
        return 2 * self.homogeneity * self.completeness / total if total else 0.0


def information_scores(groups: ArrayLike, persons: ArrayLike) -> InformationScores:
    """Homogeneity 1 − H(person | group) / H(person), completeness 1 − H(group | person) / H(group)
    and V-measure (Rosenberg & Hirschberg 2007); NMI = I / √(H(group) H(person)) (Strehl & Ghosh 2002).
    Over the arithmetic mean of the entropies NMI is the V-measure itself. An entropy of 0 counts
    as fully explained; NMI is 1 where both are 0, and 0 where one is. A negative group is a face alone."""
    both, group, person = _contingency(groups, persons)
    of_groups, of_persons = _entropy(group), _entropy(person)
    shared = max(0.0, of_groups + of_persons - _entropy(both.counts))
    mean = float(np.sqrt(of_groups * of_persons))
    return InformationScores(
        homogeneity=min(1.0, shared / of_persons) if of_persons else 1.0,
        completeness=min(1.0, shared / of_groups) if of_groups else 1.0,
        nmi=min(1.0, shared / mean) if mean else float(of_groups == of_persons),
    )


def count_conflicts(groups: ArrayLike, photos: ArrayLike) -> int:
    """How many groups hold two faces of one photo; a negative group is a face alone."""
    both, group, _ = _contingency(groups, photos)
    return len(np.unique(both.groups[both.counts > 1])) if len(group) else 0


def separate_singletons(groups: ArrayLike) -> NDArray[np.int64]:
    """The groups, with one of its own for every face that is alone: whose group is negative."""
    group = np.array(groups, dtype=np.int64)
    alone = np.flatnonzero(group < 0)
    group[alone] = group.max(initial=0) + 1 + np.arange(len(alone))
    return group


def _entropy(counts: NDArray[np.float64]) -> float:
    """In nats, of shares in proportion to the counts."""
    shares = counts / counts.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum())) if len(counts) > 1 else 0.0


@dataclass(frozen=True)
class _ContingencyCells:
    groups: NDArray[np.intp]
    persons: NDArray[np.intp]
    counts: NDArray[np.float64]


def _contingency(
    groups: ArrayLike, persons: ArrayLike
) -> tuple[_ContingencyCells, NDArray[np.float64], NDArray[np.float64]]:
    _, group = np.unique(separate_singletons(groups), return_inverse=True)
    _, person = np.unique(np.asarray(persons), return_inverse=True)
    width = int(person.max(initial=0)) + 1
    cells, counts = np.unique(group * width + person, return_counts=True)
    found = _ContingencyCells(cells // width, cells % width, counts.astype(np.float64))
    return found, np.bincount(group).astype(np.float64), np.bincount(person).astype(np.float64)
