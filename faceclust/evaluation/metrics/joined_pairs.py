"""Pairs of faces that a clustering joins, counted by person.

Counts by person allow leaving people out, or drawing them several times, without clustering again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceclust.evaluation.metrics.clustering import Score
from faceclust.evaluation.metrics.contingency import build_contingency
from faceclust.types import Float64

Weights = NDArray[np.floating] | NDArray[np.integer]

_MAX_CELLS_PER_BLOCK = 5_000_000  # cells × draws at a time in `weighted_bcubed`: 40 MB an array


@dataclass(frozen=True)
class JoinedPairs:
    """The pairs of faces that a clustering of p people's faces puts into one group.

    `face_counts` (p,) are the faces of each person, `same_joined` (p,) the joined pairs within each
    person. `first` and `second` (m,) are the positions of two people with faces in one group, the
    smaller first. `different_joined` (m,) counts the joined pairs of these two.

    All rates take `weights` (..., p), the number of times each person counts. Copies of one person
    are not compared with each other. A rate is nan if there is no pair to count.
    """

    face_counts: Float64
    same_joined: Float64
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    different_joined: Float64

    @classmethod
    def from_groups(cls, groups: ArrayLike, persons: ArrayLike) -> JoinedPairs:
        """Count the pairs from each face's group and person, (n,).

        People are sorted by name. A negative group is a singleton.
        """
        table = build_contingency(groups, persons)
        people = len(table.person_sizes)
        i, j = _pair_cells_of_a_group(table.groups)
        # A group's cells are sorted by person, so the smaller position comes first.
        pairs, position = np.unique(table.persons[i] * people + table.persons[j], return_inverse=True)
        first, second = np.divmod(pairs.astype(np.int64), max(1, people))
        return cls(
            table.person_sizes,
            _sum_by(table.persons, table.counts * (table.counts - 1) / 2, people),
            first,
            second,
            _sum_by(position, table.counts[i] * table.counts[j], len(pairs)),
        )

    @property
    def unit_weights(self) -> Float64:
        """Weights that count each person once."""
        return np.ones(len(self.face_counts))

    def count_wrongly_joined(self, weights: Weights) -> Float64:
        """Count the joined pairs of different people."""
        return np.asarray((weights[..., self.first] * weights[..., self.second]) @ self.different_joined)

    def count_different_pairs(self, weights: Weights) -> Float64:
        """Count all pairs of different people, joined or not."""
        counted = weights * self.face_counts
        return np.asarray((counted.sum(axis=-1) ** 2 - (counted**2).sum(axis=-1)) / 2)

    def count_same_pairs(self, weights: Weights) -> Float64:
        """Count all pairs of one person, joined or not."""
        return np.asarray(weights @ (self.face_counts * (self.face_counts - 1) / 2), np.float64)

    def wrong_rate(self, weights: Weights) -> Float64:
        """The share of pairs of different people that are joined: the clustering's false accept rate."""
        return _ratio(self.count_wrongly_joined(weights), self.count_different_pairs(weights))

    def recall(self, weights: Weights) -> Float64:
        """The share of pairs of one person that are joined."""
        return _ratio(weights @ self.same_joined, self.count_same_pairs(weights))

    def precision(self, weights: Weights) -> Float64:
        """The share of joined pairs that are one person."""
        correct = np.asarray(weights @ self.same_joined)
        return _ratio(correct, correct + self.count_wrongly_joined(weights))

    def score(self) -> Score:
        """Pairwise precision and recall over everyone; 1 if there is no pair to count."""
        precision, recall = self.precision(self.unit_weights), self.recall(self.unit_weights)
        return Score(*(1.0 if np.isnan(value) else float(value) for value in (precision, recall)))


def _pair_cells_of_a_group(groups: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs (i, j), i < j, of cells of one group; `groups` (k,) is sorted."""
    pairs = [np.empty((2, 0), np.intp)]
    for cells in np.split(np.arange(len(groups)), np.flatnonzero(np.diff(groups)) + 1):
        if len(cells) > 1:
            pairs.append(cells[0] + np.stack(np.triu_indices(len(cells), 1)))
    i, j = np.concatenate(pairs, axis=1)
    return i, j


def _sum_by(keys: NDArray[np.intp], values: Float64, count: int) -> Float64:
    return np.asarray(np.bincount(keys, values, count), np.float64)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Float64:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0))


def bootstrap_people(people: int, draws: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """Draw people with replacement (Efron 1979): the times each one is drawn, (draws, people).

    A draw takes all faces of a person, because faces of one person are not independent.
    """
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=draws)


def weighted_bcubed(groups: ArrayLike, persons: ArrayLike, weights: Weights) -> tuple[Float64, Float64]:
    """BCubed precision and recall (draws,) with each person counted `weights` (draws, p) times.

    People are sorted by name. Copies of one person are not compared with each other. A negative
    group is a singleton.
    """
    table = build_contingency(groups, persons)
    precision, recall = np.empty(len(weights)), np.empty(len(weights))
    blocks = max(1, len(weights) * len(table.counts) // _MAX_CELLS_PER_BLOCK)
    for block in np.array_split(np.arange(len(weights)), blocks):
        drawn = weights[block][:, table.persons] * table.counts
        group_totals = np.add.reduceat(drawn, table.group_starts, axis=1)[:, table.groups]
        total = drawn.sum(axis=1)
        precision[block] = (drawn * (table.counts / (table.counts + group_totals - drawn))).sum(axis=1) / total
        recall[block] = (drawn * (table.counts / table.person_sizes[table.persons])).sum(axis=1) / total
    return precision, recall
