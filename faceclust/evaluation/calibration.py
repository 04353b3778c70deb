"""From people whose faces are known, the threshold that suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.joins import Joins, drawn_people

FOLDS = 10
#: Of the bootstrap: the share of draws in which more is joined, for that to be no chance.
SURE = 0.95


@dataclass(frozen=True)
class Calibrated:
    """`threshold`: the one to group by; `lowest` to `highest`: those that the people bear out. `wrong`:
    the share of pairs of different people that grouping at `threshold` puts together; `bound`: its
    upper 95 % confidence bound; `held_out` and `held_out_recall`: the rate of wrong joins, and the
    share of pairs of one person joined, of people who had no part in choosing. `kept`: whether any
    threshold keeps `held_out` as low as was asked."""

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
    which it is not.
    """
    choice = _Choice(cuts, far, usual, seed)
    everyone = np.ones(len(choice.joins[0].faces), np.bool_)
    dealt = np.random.default_rng(seed).permutation(len(everyone)) % min(folds, len(everyone))
    parts = [_Part(dealt == fold, *choice.limits(dealt != fold)) for fold in range(min(folds, len(everyone)))]
    whole = _Part(everyone, *choice.limits(everyone))
    for cap in range(whole.highest, -1, -1):
        held_out = choice.held_out(parts, cap)
        if held_out[0] <= far:
            return choice.outcome(whole, cap, held_out)
    return choice.outcome(whole, -1, choice.held_out(parts, 0))


def upper_bound(joins: Joins, seed: int = 0) -> float:
    """The upper 95 % confidence bound of the rate of wrong joins: by a bootstrap over people, and not
    below what would be likely to have gone unseen: where no two of m pairs of people are joined, up
    to 3 in m may be (the rule of three; Hanley & Lippman-Hand 1983)."""
    people = len(joins.faces)
    pairs = people * (people - 1) / 2
    rates = joins.wrong_rate(drawn_people(people, seed=seed))
    drawn = float(np.nanquantile(rates, SURE)) if np.isfinite(rates).any() else 1.0
    return min(1.0, max(drawn, 3 / pairs if not len(joins.wrong) else 0.0))


@dataclass(frozen=True)
class _Part:
    """`people` held out, and what the others bear out: the highest threshold, by position, −1 for none,
    and for each threshold up to it the lowest that is as good."""

    people: NDArray[np.bool_]
    highest: int
    as_good: NDArray[np.int64]


class _Choice:
    def __init__(self, cuts: Mapping[float, Joins], far: float, usual: float, seed: int) -> None:
        self.thresholds = sorted(cuts)
        self.joins = [cuts[threshold] for threshold in self.thresholds]
        self._far, self._seed = far, seed
        self._usual = int(np.abs(np.array(self.thresholds) - usual).argmin())
        self._right = np.stack([joins.right for joins in self.joins])

    def limits(self, among: NDArray[np.bool_]) -> tuple[int, NDArray[np.int64]]:
        """By the people `among`: the highest threshold, and the lowest as good as each up to it."""
        rates = np.array([joins.wrong_rate(among.astype(np.float64)) for joins in self.joins])
        above = np.flatnonzero(rates > self._far)
        highest = int(above[0] if len(above) else len(rates)) - 1
        people = np.flatnonzero(among)
        draws, right = drawn_people(len(people), seed=self._seed).T, self._right[:, people]
        as_good = np.zeros(highest + 1, np.int64)
        for at in range(highest + 1):  # are more pairs joined at it, whichever people are drawn?
            more = (right[at] - right[: at + 1]) @ draws > 0
            as_good[at] = np.flatnonzero(more.mean(axis=1) < SURE)[0]
        return highest, as_good

    def chosen(self, part: _Part, cap: int) -> int:
        """The threshold to take, −1 for none."""
        highest = min(part.highest, cap)
        return min(max(self._usual, int(part.as_good[highest])), highest) if highest >= 0 else -1

    def held_out(self, parts: Sequence[_Part], cap: int) -> tuple[float, float]:
        """The rate of wrong joins and the recall over all parts, each at the others' threshold."""
        wrong = different = right = same = 0.0
        for part in parts:
            joins = self.joins[max(at := self.chosen(part, cap), 0)]
            everyone, others = joins.everyone, (~part.people).astype(np.float64)
            different += float(joins.different(everyone) - joins.different(others))
            same += float(part.people @ (joins.faces * (joins.faces - 1) / 2))
            if at >= 0:
                wrong += float(joins.wrongly_joined(everyone) - joins.wrongly_joined(others))
                right += float(part.people @ joins.right)
        return wrong / different if different else 0.0, right / same if same else 0.0

    def outcome(self, whole: _Part, cap: int, held_out: tuple[float, float]) -> Calibrated:
        highest = max(min(whole.highest, cap), 0)
        at = max(self.chosen(whole, cap), 0)
        joins = self.joins[at]
        return Calibrated(
            self.thresholds[at],
            self.thresholds[int(whole.as_good[highest]) if len(whole.as_good) else 0],
            self.thresholds[highest],
            wrong=float(joins.wrong_rate(joins.everyone)),
            bound=upper_bound(joins, self._seed),
            recall=float(joins.recall(joins.everyone)),
            held_out=held_out[0],
            held_out_recall=held_out[1],
            kept=min(whole.highest, cap) >= 0,
        )
