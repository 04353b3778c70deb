"""The choice of a threshold from people whose faces are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.metrics.joined_pairs import JoinedPairs, bootstrap_people
from faceclust.types import Float64

FOLDS = 10
#: The share of bootstrap draws that have to agree for a difference not to be chance.
CONFIDENCE = 0.95
_NO_THRESHOLD = -1  # a position among the thresholds: none of them keeps the rate

PeopleMask = NDArray[np.bool_]


@dataclass(frozen=True)
class CalibratedThreshold:
    """A chosen threshold and the evidence for it.

    The people support any threshold from `lowest` to `highest`. At `threshold`, `wrong` is the rate of
    wrong joins, with the upper 95 % confidence bound `bound`. `recall` is the share of pairs of one
    person joined. `held_out` and `held_out_recall` are the same rates over people who had no part in the
    choice; `held_out` may exceed the rate asked for. `kept` is false if no threshold keeps that rate.
    """

    threshold: float
    lowest: float
    highest: float
    wrong: float
    bound: float
    recall: float
    held_out: float
    held_out_recall: float
    kept: bool


def choose_threshold(
    joined_pairs: Mapping[float, JoinedPairs],
    far: float,
    default_threshold: float,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> CalibratedThreshold:
    """Choose a threshold by the pairs that clustering at each of them joins.

    A wrong join is a pair of faces of two people in one group. Its rate is the share of all pairs of
    two people, whatever their distances: what counts is the group a face ends up in.

    `highest` is the threshold up to which the rate stays at or below `far`. `lowest` is the lowest
    threshold that is not significantly worse: a bootstrap over people joins fewer pairs of one
    person than at `highest` in less than CONFIDENCE of its draws. Between the two, the people favour
    none, and the one nearest to `default_threshold` is taken. Taking `highest` would assume that
    strangers are as unlike as the few people who have names.

    Cross-validation guards the rate. For each fold of the people, the threshold is chosen on the
    others. Its wrong joins are counted over the pairs with a person of the fold. If their rate is
    above `far`, the choice is capped, by the highest cap that keeps the rate.

    The validated rate took part in the choice, so it is optimistic. `held_out` is not: an outer loop
    repeats everything without the people of one fold, and counts over these (nested
    cross-validation).
    """
    chooser = _ThresholdChooser(joined_pairs, far, default_threshold, folds, seed)
    everyone = np.ones(len(chooser.joins[0].face_counts), np.bool_)
    choices = [(fold, chooser.choose_validated(~fold)[1]) for fold in chooser.split_folds(everyone)]
    supported, taken = chooser.choose_validated(everyone)
    held_out, held_out_recall = chooser.score_held_out(choices, everyone)
    at = max(taken, 0)
    joins = chooser.joins[at]
    return CalibratedThreshold(
        threshold=chooser.thresholds[at],
        lowest=chooser.thresholds[supported.lowest],
        highest=chooser.thresholds[max(supported.highest, 0)],
        wrong=float(joins.wrong_rate(joins.unit_weights)),
        bound=bound_wrong_rate(joins, seed),
        recall=float(joins.recall(joins.unit_weights)),
        held_out=held_out,
        held_out_recall=held_out_recall,
        kept=taken != _NO_THRESHOLD,
    )


def bound_wrong_rate(joined_pairs: JoinedPairs, seed: int = 0) -> float:
    """The upper 95 % confidence bound of the rate of wrong joins, by a bootstrap over people.

    If none of m pairs of people is joined, the bound is at least 3 / m (the rule of three;
    Hanley & Lippman-Hand 1983).
    """
    people = len(joined_pairs.face_counts)
    pairs = people * (people - 1) / 2
    rates = joined_pairs.wrong_rate(bootstrap_people(people, seed=seed))
    drawn = float(np.nanquantile(rates, CONFIDENCE)) if np.isfinite(rates).any() else 1.0
    return min(1.0, max(drawn, 3 / pairs if not len(joined_pairs.different_joined) else 0.0))


@dataclass(frozen=True)
class _SupportedRange:
    """The thresholds that some people support, as positions; `highest` is _NO_THRESHOLD for none.

    `bootstrap_joined` (thresholds, draws) holds the pairs of one person joined at each threshold up
    to `highest`, in each draw of people.
    """

    highest: int
    bootstrap_joined: Float64

    def capped(self, cap: int) -> _SupportedRange:
        return self if self.highest <= cap else _SupportedRange(cap, self.bootstrap_joined[: cap + 1])

    @property
    def lowest(self) -> int:
        """The lowest threshold that joins as many pairs of one person as `highest`, except by chance."""
        if self.highest < 0:
            return 0
        share_with_fewer = (self.bootstrap_joined < self.bootstrap_joined[-1]).mean(axis=1)
        return int(np.flatnonzero(share_with_fewer < CONFIDENCE)[0])

    def nearest(self, default: int) -> int:
        """The supported threshold nearest to the default."""
        return min(max(default, self.lowest), self.highest)


class _ThresholdChooser:
    """Chooses thresholds for any subset of the people. Thresholds are positions in `thresholds`."""

    def __init__(self, joins: Mapping[float, JoinedPairs], far: float, default: float, folds: int, seed: int) -> None:
        self.thresholds = sorted(joins)
        self.joins = [joins[threshold] for threshold in self.thresholds]
        self._far, self._folds, self._seed = far, folds, seed
        self._default = int(np.abs(np.array(self.thresholds) - default).argmin())
        self._same_joined = np.stack([pairs.same_joined for pairs in self.joins])
        self._draws = bootstrap_people(self._same_joined.shape[1], seed=seed).T.astype(np.float64)

    def split_folds(self, people: PeopleMask) -> list[PeopleMask]:
        """Split people into folds at random."""
        chosen = np.flatnonzero(people)
        count = min(self._folds, len(chosen))
        fold_of = np.full(len(people), -1)
        fold_of[chosen] = np.random.default_rng(self._seed).permutation(len(chosen)) % count
        return [fold_of == fold for fold in range(count)]

    def choose_validated(self, people: PeopleMask) -> tuple[_SupportedRange, int]:
        """Choose for these people, capped so that cross-validation over them keeps the rate.

        Return the capped range and the threshold, _NO_THRESHOLD if no cap keeps the rate.
        """
        supported = self._find_supported(people)
        without = [(fold, self._find_supported(people & ~fold)) for fold in self.split_folds(people)]
        for cap in range(supported.highest, -1, -1):
            choices = [(fold, others.capped(cap).nearest(self._default)) for fold, others in without]
            if self.score_held_out(choices, people)[0] <= self._far:
                capped = supported.capped(cap)
                return capped, capped.nearest(self._default)
        return supported.capped(0), _NO_THRESHOLD

    def _find_supported(self, people: PeopleMask) -> _SupportedRange:
        rates = np.array([pairs.wrong_rate(people.astype(np.float64)) for pairs in self.joins])
        above = np.flatnonzero(rates > self._far)
        highest = int(above[0] if len(above) else len(rates)) - 1
        return _SupportedRange(highest, (self._same_joined[: highest + 1] * people) @ self._draws)

    def score_held_out(self, choices: Sequence[tuple[PeopleMask, int]], people: PeopleMask) -> tuple[float, float]:
        """The rate of wrong joins and the recall over folds, each at the threshold chosen without it."""
        counts = sum((self._count_pairs_of_fold(fold, at, people) for fold, at in choices), np.zeros(4))
        wrong, different, joined, same = counts.tolist()
        return wrong / different if different else 0.0, joined / same if same else 0.0

    def _count_pairs_of_fold(self, fold: PeopleMask, at: int, people: PeopleMask) -> Float64:
        """Count the pairs with a person of a fold: wrongly joined, different, rightly joined, same."""
        pairs = self.joins[max(at, 0)]
        everyone, others = people.astype(np.float64), (people & ~fold).astype(np.float64)
        different = pairs.count_different_pairs(everyone) - pairs.count_different_pairs(others)
        same = pairs.count_same_pairs(fold.astype(np.float64))
        if at == _NO_THRESHOLD:  # nothing is joined
            return np.array([0.0, different, 0.0, same])
        wrong = pairs.count_wrongly_joined(everyone) - pairs.count_wrongly_joined(others)
        return np.array([wrong, different, fold @ pairs.same_joined, same])
