"""Agreement of a clustering with the true persons: BCubed, pairwise and information scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceclust.evaluation.metrics.contingency import build_contingency


@dataclass(frozen=True)
class Score:
    """Precision, recall and their harmonic mean F."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """The F-measure; 0 if precision and recall are both 0."""
        return _harmonic_mean(self.precision, self.recall)


def bcubed(groups: ArrayLike, persons: ArrayLike) -> Score:
    """BCubed precision and recall (Bagga & Baldwin 1998).

    Precision is the mean over faces of the share of the face's group that is its person. Recall is
    the mean share of the face's person that is in its group. A negative group is a singleton.
    """
    table = build_contingency(groups, persons)
    n = table.counts.sum()
    return Score(
        precision=float((table.counts**2 / table.group_sizes[table.groups]).sum() / n),
        recall=float((table.counts**2 / table.person_sizes[table.persons]).sum() / n),
    )


def pairwise(groups: ArrayLike, persons: ArrayLike) -> Score:
    """Precision and recall over all pairs of faces; 1 if there is no pair to count.

    Precision is the share of pairs in one group that are one person. Recall is the share of pairs
    of one person that are in one group.
    """
    table = build_contingency(groups, persons)
    correct, grouped, same = map(_count_pairs, (table.counts, table.group_sizes, table.person_sizes))
    return Score(precision=correct / grouped if grouped else 1.0, recall=correct / same if same else 1.0)


def _count_pairs(counts: NDArray[np.float64]) -> float:
    return float((counts * (counts - 1) / 2).sum())


@dataclass(frozen=True)
class InformationScores:
    """Scores from entropies over the faces, 0 to 1.

    `homogeneity` is 1 if no group holds two persons, `completeness` is 1 if no person is in two
    groups. `nmi` is the mutual information over the geometric mean of the two entropies.
    """

    homogeneity: float
    completeness: float
    nmi: float

    @property
    def v_measure(self) -> float:
        """The harmonic mean of homogeneity and completeness."""
        return _harmonic_mean(self.homogeneity, self.completeness)


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def information_scores(groups: ArrayLike, persons: ArrayLike) -> InformationScores:
    """Homogeneity, completeness and V-measure (Rosenberg & Hirschberg 2007), and NMI (Strehl & Ghosh 2002).

    Homogeneity is 1 − H(person | group) / H(person), completeness 1 − H(group | person) / H(group),
    NMI = I / √(H(group) H(person)). NMI over the arithmetic mean of the entropies would be the
    V-measure itself. An entropy of 0 counts as fully explained. NMI is 1 if both entropies are 0,
    and 0 if one is. A negative group is a singleton.
    """
    table = build_contingency(groups, persons)
    of_groups, of_persons = _entropy(table.group_sizes), _entropy(table.person_sizes)
    mutual = max(0.0, of_groups + of_persons - _entropy(table.counts))
    mean = float(np.sqrt(of_groups * of_persons))
    return InformationScores(
        homogeneity=min(1.0, mutual / of_persons) if of_persons else 1.0,
        completeness=min(1.0, mutual / of_groups) if of_groups else 1.0,
        nmi=min(1.0, mutual / mean) if mean else float(of_groups == of_persons),
    )


def _entropy(counts: NDArray[np.float64]) -> float:
    """The entropy in nats of a distribution proportional to the counts."""
    shares = counts / counts.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum())) if len(counts) > 1 else 0.0


def count_conflicts(groups: ArrayLike, photos: ArrayLike) -> int:
    """Count the groups with two faces of one photo; a negative group is a singleton."""
    table = build_contingency(groups, photos)
    return len(np.unique(table.groups[table.counts > 1]))
