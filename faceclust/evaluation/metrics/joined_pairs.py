"""Which pairs of faces a grouping puts together, person by person: so that people can be left out, or
drawn more than once, without grouping again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceclust.evaluation.metrics.clustering import Score, separate_singletons
from faceclust.types import Float64

Weights = NDArray[np.floating] | NDArray[np.integer]


@dataclass(frozen=True)
class JoinedPairs:
    """p people and a grouping of their faces. `faces` (p,): how many each has; `right` (p,): pairs of
    one person's faces that are together; `first`, `second` (m,): two people with faces in one group
    (positions among the people, the smaller first), and `wrong` (m,): how many pairs of theirs are.

    All rates take `weights` (..., p), how often each person counts; copies of one person are not
    compared with each other. They are nan where there is no pair to go by.
    """

    face_counts: Float64
    same_joined: Float64
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    different_joined: Float64

    @classmethod
    def from_groups(cls, groups: ArrayLike, persons: ArrayLike) -> JoinedPairs:
        """From each face's group and person (n,); people in the order of their names. A negative group
        is a face alone."""
        group = separate_singletons(groups)
        names, person = np.unique(np.asarray(persons), return_inverse=True)
        cells, counts = np.unique(np.stack([group, person]), axis=1, return_counts=True)
        right = np.bincount(cells[1], counts * (counts - 1) / 2, len(names))
        faces = np.bincount(cells[1], counts, len(names))
        pairs = [np.empty((3, 0), np.int64)]
        for some in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(cells[0])) + 1):
            i, j = np.triu_indices(len(some), 1)
            pairs.append(np.stack([cells[1][some[i]], cells[1][some[j]], counts[some[i]] * counts[some[j]]]))
        first, second, wrong = np.concatenate(pairs, axis=1)
        both, place = np.unique(first * len(names) + second, return_inverse=True)
        one, other = np.divmod(both, max(1, len(names)))
        joined = np.bincount(place, wrong, len(both))
        return cls(
            np.asarray(faces, np.float64), np.asarray(right, np.float64), one, other, np.asarray(joined, np.float64)
        )

    @property
    def unit_weights(self) -> Float64:
        """Weights by which each person counts once."""
        return np.ones(len(self.face_counts))

    def count_wrongly_joined(self, weights: Weights) -> Float64:
        """Pairs of faces of different people that are together."""
        return np.asarray((weights[..., self.first] * weights[..., self.second]) @ self.different_joined)

    def count_different_pairs(self, weights: Weights) -> Float64:
        """Pairs of faces of different people."""
        counted = weights * self.face_counts
        return np.asarray((counted.sum(axis=-1) ** 2 - (counted**2).sum(axis=-1)) / 2)

    def wrong_rate(self, weights: Weights) -> Float64:
        """The share of pairs of different people that are together: the false-accept rate of the grouping."""
        return _ratio(self.count_wrongly_joined(weights), self.count_different_pairs(weights))

    def recall(self, weights: Weights) -> Float64:
        """The share of pairs of one person that are together."""
        return _ratio(weights @ self.same_joined, weights @ (self.face_counts * (self.face_counts - 1) / 2))

    def precision(self, weights: Weights) -> Float64:
        """The share of pairs that are together that are one person's."""
        right = np.asarray(weights @ self.same_joined)
        return _ratio(right, right + self.count_wrongly_joined(weights))

    def score(self) -> Score:
        """Pairwise precision and recall of everyone, 1 where there is no pair."""
        precision, recall = self.precision(self.unit_weights), self.recall(self.unit_weights)
        return Score(*(1.0 if np.isnan(value) else float(value) for value in (precision, recall)))


def _ratio(part: ArrayLike, whole: ArrayLike) -> Float64:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0))


def bootstrap_people(people: int, draws: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """How often each person is drawn in a bootstrap over people (Efron 1979): (draws, people). Whole
    people are drawn, for the faces of one depend on each other."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=draws)


def weighted_bcubed(groups: ArrayLike, persons: ArrayLike, weights: Weights) -> tuple[Float64, Float64]:
    """BCubed precision and recall (draws,) where each person counts as often as `weights` (draws, p) say;
    people in the order of their names, copies of one not compared. A negative group is a face alone."""
    group = separate_singletons(groups)
    _, person = np.unique(np.asarray(persons), return_inverse=True)
    cells, counts = np.unique(np.stack([group, person]), axis=1, return_counts=True)
    starts, who = np.flatnonzero(np.diff(cells[0], prepend=cells[0][:1] - 1)), cells[1]
    place = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(counts))))
    faces = np.bincount(person)
    precision, recall = np.empty(len(weights)), np.empty(len(weights))
    for some in np.array_split(np.arange(len(weights)), max(1, len(weights) * len(counts) // 5_000_000)):
        drawn = weights[some][:, who] * counts
        totals = np.add.reduceat(drawn, starts, axis=1)[:, place]
        whole = drawn.sum(axis=1)
        precision[some] = (drawn * (counts / (counts + totals - drawn))).sum(axis=1) / whole
        recall[some] = (drawn * (counts / faces[who])).sum(axis=1) / whole
    return precision, recall
