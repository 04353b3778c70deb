"""From people whose faces are known, the threshold that suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.metrics.joined_pairs import Joins, drawn_people

FOLDS = 10
People = NDArray[np.bool_]
#: Of the bootstrap: the share of draws in which more is joined, for that to be no chance.
SURE = 0.95


@dataclass(frozen=True)
class Calibrated:
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


def calibrate(
    cuts: Mapping[float, Joins], far: float, usual: float, *, folds: int = FOLDS, seed: int = 0
) -> Calibrated:
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
    choice = _Choice(cuts, far, usual, folds, seed)
    everyone = np.ones(len(choice.joins[0].faces), np.bool_)
    taken = [(fold, choice.chosen(*choice.capped(~fold))) for fold in choice.dealt(everyone)]
    return choice.outcome(*choice.capped(everyone), choice.held_out(taken, everyone))


def upper_bound(joins: Joins, seed: int = 0) -> float:
    """The upper 95 % confidence bound of the rate of wrong joins: by a bootstrap over people, and not
    below what would be likely to have gone unseen: where no two of m pairs of people are joined, up
    to 3 in m may be (the rule of three; Hanley & Lippman-Hand 1983)."""
    people = len(joins.faces)
    pairs = people * (people - 1) / 2
    rates = joins.wrong_rate(drawn_people(people, seed=seed))
    drawn = float(np.nanquantile(rates, SURE)) if np.isfinite(rates).any() else 1.0
    return min(1.0, max(drawn, 3 / pairs if not len(joins.wrong) else 0.0))


class _Part:
    """What some people bear out. `highest`: the highest threshold, by position, −1 for none. `joined`
    (thresholds, draws): the pairs of one person joined at each, in each draw of people."""

    def __init__(self, highest: int, joined: NDArray[np.float64]) -> None:
        self.highest, self._joined = highest, joined
        self._as_good: dict[int, int] = {}

    def as_good(self, at: int) -> int:
        """The lowest threshold that is as good as this one: below it more pairs are joined at this one,
        whichever people are drawn. Worked out where it is asked for: few are, and it takes its time."""
        if at not in self._as_good:
            more = (self._joined[at] > self._joined[: at + 1]).mean(axis=1)
            self._as_good[at] = int(np.flatnonzero(more < SURE)[0])
        return self._as_good[at]


class _Choice:
    def __init__(self, cuts: Mapping[float, Joins], far: float, usual: float, folds: int, seed: int) -> None:
        self.thresholds = sorted(cuts)
        self.joins = [cuts[threshold] for threshold in self.thresholds]
        self._far, self._folds, self._seed = far, folds, seed
        self._usual = int(np.abs(np.array(self.thresholds) - usual).argmin())
        self._right = np.stack([joins.right for joins in self.joins])
        self._draws = drawn_people(self._right.shape[1], seed=seed).T.astype(np.float64)

    def dealt(self, among: People) -> list[People]:
        """The people `among` in folds, drawn by lot."""
        people = np.flatnonzero(among)
        folds = min(self._folds, len(people))
        fold_of = np.full(len(among), -1)
        fold_of[people] = np.random.default_rng(self._seed).permutation(len(people)) % folds
        return [fold_of == fold for fold in range(folds)]

    def capped(self, among: People) -> tuple[_Part, int]:
        """By the people `among`: what they bear out, and the cap, −1 for none."""
        whole = self._limits(among)
        parts = [(fold, self._limits(among & ~fold)) for fold in self.dealt(among)]
        for cap in range(whole.highest, -1, -1):
            if self.held_out([(fold, self.chosen(part, cap)) for fold, part in parts], among)[0] <= self._far:
                return whole, cap
        return whole, -1

    def _limits(self, among: People) -> _Part:
        rates = np.array([joins.wrong_rate(among.astype(np.float64)) for joins in self.joins])
        above = np.flatnonzero(rates > self._far)
        highest = int(above[0] if len(above) else len(rates)) - 1
        return _Part(highest, (self._right[: highest + 1] * among) @ self._draws)

    def chosen(self, part: _Part, cap: int) -> int:
        """The threshold to take, −1 for none."""
        highest = min(part.highest, cap)
        return min(max(self._usual, part.as_good(highest)), highest) if highest >= 0 else -1

    def held_out(self, taken: Sequence[tuple[People, int]], among: People) -> tuple[float, float]:
        """The rate of wrong joins and the recall over folds of the people `among`, each at the threshold
        that was taken without it."""
        wrong = different = right = same = 0.0
        for fold, at in taken:
            joins = self.joins[max(at, 0)]
            everyone, others = among.astype(np.float64), (among & ~fold).astype(np.float64)
            different += float(joins.different(everyone) - joins.different(others))
            same += float(fold @ (joins.faces * (joins.faces - 1) / 2))
            if at >= 0:
                wrong += float(joins.wrongly_joined(everyone) - joins.wrongly_joined(others))
                right += float(fold @ joins.right)
        return wrong / different if different else 0.0, right / same if same else 0.0

    def outcome(self, whole: _Part, cap: int, held_out: tuple[float, float]) -> Calibrated:
        highest = max(min(whole.highest, cap), 0)
        at = max(self.chosen(whole, cap), 0)
        joins = self.joins[at]
        return Calibrated(
            self.thresholds[at],
            self.thresholds[whole.as_good(highest) if whole.highest >= 0 else 0],
            self.thresholds[highest],
            wrong=float(joins.wrong_rate(joins.everyone)),
            bound=upper_bound(joins, self._seed),
            recall=float(joins.recall(joins.everyone)),
            held_out=held_out[0],
            held_out_recall=held_out[1],
            kept=min(whole.highest, cap) >= 0,
        )
