"""Same or different? The protocol of Labeled Faces in the Wild and FaceNet's VAL at FAR.

Everywhere `distances` (n,) are squared L2, `same` (n,) tells whether a pair is one person, and a pair
is accepted where its distance is below a threshold. A pair that could not be compared, since a face
was not found, has distance infinity: no threshold accepts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class VerificationScores:
    """Means over the folds; each `…_error` is the standard error of the mean, None of a single
    fold. `val` and `far` are measured on each held-out fold at the threshold the other folds gave for
    `target_far`; `strict` is the mean of these thresholds, `threshold` of those for the accuracy."""

    accuracy: float
    accuracy_error: float | None
    threshold: float
    val: float
    val_error: float | None
    far: float
    far_threshold: float
    target_far: float


def verify_folds(
    distances: Distances, same: BoolArray, folds: NDArray[np.int32], target_far: float = 1e-3
) -> VerificationScores:
    """Score pairs by the protocol of LFW (Huang et al. 2007), "view 2": for each fold, the thresholds
    that are best on all others. Of a single fold they are chosen on the fold itself.

    The accuracy is the share of pairs judged rightly; a pair that could not be compared is an
    error, whatever it is. VAL and FAR: see `val_and_far`.
    """
    accuracy, thresholds, vals, fars, stricts = [], [], [], [], []
    distances, numbers = distances.astype(np.float64), np.unique(folds)
    for fold in numbers:
        test = folds == fold
        train = ~test if len(numbers) > 1 else test
        thresholds.append(best_threshold(distances[train], same[train]))
        right = ((distances[test] < thresholds[-1]) == same[test]) & np.isfinite(distances[test])
        accuracy.append(right.mean())
        stricts.append(threshold_at_far(distances[train & ~same], target_far))
        val, far = val_and_far(distances[test], same[test], stricts[-1])
        vals.append(val)
        fars.append(far)
    return VerificationScores(
        accuracy=float(np.mean(accuracy)),
        accuracy_error=standard_error(accuracy),
        threshold=float(np.mean(thresholds)),
        val=_mean_without_nan(vals),
        val_error=standard_error(vals),
        far=_mean_without_nan(fars),
        far_threshold=float(np.mean(stricts)),
        target_far=target_far,
    )


def _mean_without_nan(values: Sequence[float]) -> float:
    """Over the folds that have a value: one without pairs of one kind has no VAL or no FAR."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean over folds, as published with LFW (Huang et al. 2007, §4): σ̂
    through √folds, with σ̂ over n − 1. None for one value."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None


def val_and_far(distances: Distances, same: BoolArray, threshold: float) -> tuple[float, float]:
    """The validation rate and the false accept rate at a threshold (Schroff, Kalenichenko and Philbin
    2015, FaceNet, §4): with TA the pairs of one person that are accepted, FA those of two people,
    VAL = |TA| / |same| (equation 5) and FAR = |FA| / |different| (equation 6); not a number of no pairs."""
    accepted = distances.astype(np.float64) < threshold
    return _accepted_share(accepted[same]), _accepted_share(accepted[~same])


def _accepted_share(of: BoolArray) -> float:
    return float(of.mean()) if len(of) else float("nan")


def best_threshold(distances: Distances, same: BoolArray) -> float:
    """The threshold with most right answers; of several, the one in the middle of the list."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order].astype(np.float64)
    gain = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))])
    # A threshold lies before all distances, between two that differ, or after the last.
    passed = np.nextafter(np.concatenate([[0.0], ordered]), np.inf)
    cuts = np.concatenate([ordered[:1], (ordered[:-1] + ordered[1:]) / 2, passed[-1:]])
    cuts = np.where(np.isfinite(cuts), np.maximum(cuts, passed), passed)  # neighbours have no middle
    cuts[0] = ordered[0]
    possible = np.concatenate([[True], ordered[:-1] < ordered[1:], np.isfinite(ordered[-1:])])
    best = np.flatnonzero(possible & (gain == gain[possible].max()))
    return float(cuts[best[len(best) // 2]])


def is_resolvable(different: int, far: float) -> bool:
    """Whether so many pairs of two people can tell of a false accept rate: it must be one pair of them
    at least. Of fewer, no pair accepted and one accepted are both far from it."""
    return different * far >= 1 - 1e-9


def threshold_at_far(impostor_distances: Distances, far: float) -> float:
    """The largest threshold that accepts at most the share `far` of different-person pairs; infinity
    where that is all of them."""
    ordered = np.sort(impostor_distances)
    allowed = int(np.floor(far * len(ordered) + 1e-9))
    return float(ordered[allowed]) if allowed < len(ordered) else float("inf")


@dataclass(frozen=True)
class Roc:
    """The receiver operating characteristic: FAR and VAL (k,) of every threshold that tells them
    apart, both from 0 to 1. `thresholds` (k,) rise; at the first nothing is accepted, at each other
    all pairs up to a distance, which is the largest number below it. Where pairs could not be
    compared the last is infinite: to it leads what guessing would give them."""

    far: NDArray[np.float64]
    val: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """The area under the curve, by trapezoids. It equals the statistic of Mann and Whitney (1947):
        the probability that a pair of one person, drawn at random, is nearer than one of two people;
        a tie counts one half (Hanley and McNeil 1982)."""
        steps = np.diff(self.far)
        return float((steps * (self.val[1:] + self.val[:-1]) / 2).sum())

    @property
    def equal_error_point(self) -> tuple[float, float]:
        """The equal error rate, where as many pairs of two people are accepted as of one person are
        not (FAR = 1 − VAL), on the straight line between two points of the curve; and the threshold
        there, that of the point before the crossing."""
        apart = self.far - (1 - self.val)  # rises from −1 to 1
        after = int(np.argmax(apart >= 0))
        before = after - 1
        part = -apart[before] / (apart[after] - apart[before])
        rate = self.far[before] + part * (self.far[after] - self.far[before])
        return float(rate), float(self.thresholds[after if part == 1 else before])


def roc(distances: Distances, same: BoolArray) -> Roc:
    """The curve (Fawcett 2006, algorithm 1: equal distances are one step). Raises ValueError unless
    there are pairs of both kinds."""
    if not same.any() or same.all():
        raise ValueError("a curve needs pairs of one person and of two people")
    order = np.argsort(distances, kind="stable")
    ordered, ones = distances[order].astype(np.float64), same[order]
    ends = np.append(np.flatnonzero(ordered[:-1] < ordered[1:]), len(ordered) - 1)  # of equal distances
    accepted = np.cumsum(ones)[ends]
    return Roc(
        far=np.concatenate([[0], (ends + 1 - accepted) / (~same).sum()]),
        val=np.concatenate([[0], accepted / same.sum()]),
        thresholds=np.concatenate([[0], np.nextafter(ordered[ends], np.inf)]),
    )
