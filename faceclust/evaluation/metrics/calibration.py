"""From people whose faces are known, the threshold that suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.metrics.joined_pairs import JoinedPairs, bootstrap_people

FOLDS = 10
PeopleMask = NDArray[np.bool_]
#: Of the bootstrap: the share of draws in which more is joined, for that to be no chance.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class CalibratedThreshold:
    """`threshold`: the one to group by; `lowest` to `highest`: those that the people bear out. `wrong`:
    the share of pairs of different people that grouping at `threshold` puts together; `bound`: its
    upper 95 % confidence bound; `held_out` and `held_out_recall`: the rate of wrong joins, and the
    share of pairs of one person joined, of people who had no part in any of the choosing, which may
    be above what was asked. `kept`: whether there is a threshold to take."""

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
    """Choose among thresholds by what grouping at each of them joins.

    A wrong join is a pair of faces of two people that grouping puts together; their rate is the
    share of all pairs of two people's faces. (Not the share of pairs within a distance: what counts
    is where a face ends up.) `highest` is the highest threshold up to which the rate is `far` at
    most; `lowest` the lowest at which no more pairs of one person are missing than at `highest`, save
    by chance (fewer are in SURE of the draws of a bootstrap over people). Between the two nothing
    speaks for one or the other: the one nearest to `usual` is taken. To take the highest would be
    to bet on strangers being as unlike as the few people one has named.

    Cross-validation: the people are dealt out to `folds`; the threshold is chosen on all folds but
    one, its wrong joins are counted over the pairs that a person of that one is in. Where their
    rate over all folds is above `far`, no threshold above some cap is taken, the highest cap with
    which it is not. That rate has then been chosen by; `held_out` is that of an outer loop, in which
    all this is done without the people of one fold, and counted of these (nested cross-validation).
    """
    choice = _ThresholdChooser(joined_pairs, far, default_threshold, folds, seed)
    everyone = np.ones(len(choice.joins[0].face_counts), np.bool_)
    taken = [(fold, choice.choose(*choice.find_cap(~fold))) for fold in choice.split_folds(everyone)]
    return choice.build_result(*choice.find_cap(everyone), choice.score_held_out(taken, everyone))


def bound_wrong_rate(joined_pairs: JoinedPairs, seed: int = 0) -> float:
    """The upper 95 % confidence bound of the rate of wrong joins: by a bootstrap over people, and not
    below what would be likely to have gone unseen: where no two of m pairs of people are joined, up
    to 3 in m may be (the rule of three; Hanley & Lippman-Hand 1983)."""
    people = len(joined_pairs.face_counts)
    pairs = people * (people - 1) / 2
    rates = joined_pairs.wrong_rate(bootstrap_people(people, seed=seed))
    drawn = float(np.nanquantile(rates, CONFIDENCE)) if np.isfinite(rates).any() else 1.0
    return min(1.0, max(drawn, 3 / pairs if not len(joined_pairs.different_joined) else 0.0))


class _SupportedRange:
    """What some people bear out. `highest`: the highest threshold, by position, −1 for none. `joined`
    (thresholds, draws): the pairs of one person joined at each, in each draw of people."""

    def __init__(self, highest: int, joined: NDArray[np.float64]) -> None:
        self.highest, self._joined_counts = highest, joined
        self._lowest_equivalents: dict[int, int] = {}

    def lowest_equivalent(self, at: int) -> int:
        """The lowest threshold that is as good as this one: below it more pairs are joined at this one,
        whichever people are drawn. Worked out where it is asked for: few are, and it takes its time."""
        if at not in self._lowest_equivalents:
            more = (self._joined_counts[at] > self._joined_counts[: at + 1]).mean(axis=1)
            self._lowest_equivalents[at] = int(np.flatnonzero(more < CONFIDENCE)[0])
        return self._lowest_equivalents[at]


class _ThresholdChooser:
    def __init__(self, cuts: Mapping[float, JoinedPairs], far: float, usual: float, folds: int, seed: int) -> None:
        self.thresholds = sorted(cuts)
        self.joins = [cuts[threshold] for threshold in self.thresholds]
        self._far, self._folds, self._seed = far, folds, seed
        self._default = int(np.abs(np.array(self.thresholds) - usual).argmin())
        self._same_joined = np.stack([joins.same_joined for joins in self.joins])
        self._draws = bootstrap_people(self._same_joined.shape[1], seed=seed).T.astype(np.float64)

    def split_folds(self, among: PeopleMask) -> list[PeopleMask]:
        """The people `among` in folds, drawn by lot."""
        people = np.flatnonzero(among)
        folds = min(self._folds, len(people))
        fold_of = np.full(len(among), -1)
        fold_of[people] = np.random.default_rng(self._seed).permutation(len(people)) % folds
        return [fold_of == fold for fold in range(folds)]

    def find_cap(self, among: PeopleMask) -> tuple[_SupportedRange, int]:
        """By the people `among`: what they bear out, and the cap, −1 for none."""
        whole = self._find_supported_range(among)
        parts = [(fold, self._find_supported_range(among & ~fold)) for fold in self.split_folds(among)]
        for cap in range(whole.highest, -1, -1):
            if self.score_held_out([(fold, self.choose(part, cap)) for fold, part in parts], among)[0] <= self._far:
                return whole, cap
        return whole, -1

    def _find_supported_range(self, among: PeopleMask) -> _SupportedRange:
        rates = np.array([joins.wrong_rate(among.astype(np.float64)) for joins in self.joins])
        above = np.flatnonzero(rates > self._far)
        highest = int(above[0] if len(above) else len(rates)) - 1
        return _SupportedRange(highest, (self._same_joined[: highest + 1] * among) @ self._draws)

    def choose(self, part: _SupportedRange, cap: int) -> int:
        """The threshold to take, −1 for none."""
        highest = min(part.highest, cap)
        return min(max(self._default, part.lowest_equivalent(highest)), highest) if highest >= 0 else -1

    def score_held_out(self, taken: Sequence[tuple[PeopleMask, int]], among: PeopleMask) -> tuple[float, float]:
        """The rate of wrong joins and the recall over folds of the people `among`, each at the threshold
        that was taken without it."""
        wrong = different = right = same = 0.0
        for fold, at in taken:
            joins = self.joins[max(at, 0)]
            everyone, others = among.astype(np.float64), (among & ~fold).astype(np.float64)
            different += float(joins.count_different_pairs(everyone) - joins.count_different_pairs(others))
            same += float(fold @ (joins.face_counts * (joins.face_counts - 1) / 2))
            if at >= 0:
                wrong += float(joins.count_wrongly_joined(everyone) - joins.count_wrongly_joined(others))
                right += float(fold @ joins.same_joined)
        return wrong / different if different else 0.0, right / same if same else 0.0

    def build_result(self, whole: _SupportedRange, cap: int, held_out: tuple[float, float]) -> CalibratedThreshold:
        highest = max(min(whole.highest, cap), 0)
        at = max(self.choose(whole, cap), 0)
        joins = self.joins[at]
        return CalibratedThreshold(
            self.thresholds[at],
            self.thresholds[whole.lowest_equivalent(highest) if whole.highest >= 0 else 0],
            self.thresholds[highest],
            wrong=float(joins.wrong_rate(joins.unit_weights)),
            bound=bound_wrong_rate(joins, self._seed),
            recall=float(joins.recall(joins.unit_weights)),
            held_out=held_out[0],
            held_out_recall=held_out[1],
            kept=min(whole.highest, cap) >= 0,
        )
