"""Verification scores: the protocol of Labeled Faces in the Wild, FaceNet's VAL at FAR, the ROC curve, all pairs.

A pair is accepted if its distance is below a threshold. `distances` (n,) are squared L2, and `same` (n,) is
true for pairs of one person. A pair with a missing face has the distance infinity: no threshold accepts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import find_near_pairs, triangle_progress
from faceclust.cluster.distances import ClusterMeans
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Indices

#: The false accept rates reported over all pairs of faces.
ALL_PAIRS_FARS = (1e-3, 1e-4, 1e-5, 1e-6)
#: A rate is not reported if fewer pairs of two people may be accepted: it would depend on single faces.
MIN_ACCEPTED = 10
_MAX_TILE = 1 << 22  # pairs of one person at a time: 16 MB

Distances = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class VerificationScores:
    """Means over the folds, each with the standard error of the mean, None for a single fold.

    `val` and `far` are measured on each held-out fold, at the threshold chosen for `target_far` on the
    other folds. `far_threshold` is the mean of these thresholds, `threshold` the mean of those chosen
    for the accuracy.
    """

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
    """Score pairs by the protocol of LFW (Huang et al. 2007), "view 2".

    Each fold is scored at the thresholds that are best on all other folds; a single fold at its own.
    The accuracy is the share of pairs judged correctly; a pair with a missing face is always an
    error. For VAL and FAR see `val_and_far`.
    """
    accuracy, thresholds, vals, fars, far_thresholds = [], [], [], [], []
    distances, fold_numbers = distances.astype(np.float64), np.unique(folds)
    for fold in fold_numbers:
        test = folds == fold
        train = ~test if len(fold_numbers) > 1 else test
        thresholds.append(best_threshold(distances[train], same[train]))
        correct = ((distances[test] < thresholds[-1]) == same[test]) & np.isfinite(distances[test])
        accuracy.append(correct.mean())
        far_thresholds.append(threshold_at_far(distances[train & ~same], target_far))
        val, far = val_and_far(distances[test], same[test], far_thresholds[-1])
        vals.append(val)
        fars.append(far)
    return VerificationScores(
        accuracy=float(np.mean(accuracy)),
        accuracy_error=standard_error(accuracy),
        threshold=float(np.mean(thresholds)),
        val=_mean_without_nan(vals),
        val_error=standard_error(vals),
        far=_mean_without_nan(fars),
        far_threshold=float(np.mean(far_thresholds)),
        target_far=target_far,
    )


def _mean_without_nan(values: Sequence[float]) -> float:
    """The mean over folds with a value: a fold without pairs of one kind has no VAL or no FAR."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean over folds, as published with LFW (Huang et al. 2007, §4).

    It is σ̂ / √folds with σ̂ over n − 1; None for fewer than two values.
    """
    known = [value for value in values if not np.isnan(value)]
    return float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None


def val_and_far(distances: Distances, same: BoolArray, threshold: float) -> tuple[float, float]:
    """The validation rate and the false accept rate at a threshold (FaceNet: Schroff et al. 2015, §4).

    TA are the accepted pairs of one person, FA those of two people. VAL = |TA| / |same| (equation 5),
    FAR = |FA| / |different| (equation 6). A rate over no pairs is nan.
    """
    accepted = distances.astype(np.float64) < threshold
    return _accepted_share(accepted[same]), _accepted_share(accepted[~same])


def _accepted_share(accepted: BoolArray) -> float:
    return float(accepted.mean()) if len(accepted) else float("nan")


def best_threshold(distances: Distances, same: BoolArray) -> float:
    """The threshold with the most correct judgements; on a tie, the middle one."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order].astype(np.float64)
    gain = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))])
    # A threshold lies below all distances, between two that differ, or above the last.
    passed = np.nextafter(np.concatenate([[0.0], ordered]), np.inf)
    cuts = np.concatenate([ordered[:1], (ordered[:-1] + ordered[1:]) / 2, passed[-1:]])
    cuts = np.where(np.isfinite(cuts), np.maximum(cuts, passed), passed)  # adjacent floats have no middle
    cuts[0] = ordered[0]
    possible = np.concatenate([[True], ordered[:-1] < ordered[1:], np.isfinite(ordered[-1:])])
    best = np.flatnonzero(possible & (gain == gain[possible].max()))
    return float(cuts[best[len(best) // 2]])


def is_resolvable(different: int, far: float) -> bool:
    """True if so many pairs of two people can measure a false accept rate of `far`.

    The rate has to be at least one pair. With fewer, accepting no pair and accepting one are both far from it.
    """
    return different * far >= 1 - 1e-9


def threshold_at_far(impostor_distances: Distances, far: float) -> float:
    """The largest threshold that accepts at most the share `far` of the pairs of two people.

    It is infinity if that is all of them.
    """
    ordered, allowed = np.sort(impostor_distances), _count_acceptable(len(impostor_distances), far)
    return float(ordered[allowed]) if allowed < len(ordered) else float("inf")


def _count_acceptable(different: int, far: float) -> int:
    """Count the pairs of two people that may be accepted at a false accept rate."""
    return int(np.floor(far * different + 1e-9))


@dataclass(frozen=True)
class Roc:
    """The receiver operating characteristic: FAR and VAL (k,), both from 0 to 1, at rising `thresholds` (k,).

    At the first threshold no pair is accepted. Each other threshold is the next float above a distance,
    and accepts all pairs up to it. With missing faces the last threshold is infinity: the line to it
    gives those pairs what guessing would.
    """

    far: NDArray[np.float64]
    val: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """The area under the curve, by trapezoids.

        It equals the statistic of Mann and Whitney (1947): the probability that a random pair of one
        person is nearer than one of two people. A tie counts one half (Hanley and McNeil 1982).
        """
        steps = np.diff(self.far)
        return float((steps * (self.val[1:] + self.val[:-1]) / 2).sum())

    @property
    def equal_error_point(self) -> tuple[float, float]:
        """The equal error rate and its threshold.

        At this rate, as many pairs of two people are accepted as of one person are rejected
        (FAR = 1 − VAL). It is interpolated between two points of the curve; the threshold is that of the
        point before the crossing.
        """
        difference = self.far - (1 - self.val)  # rises from −1 to 1
        after = int(np.argmax(difference >= 0))
        before = after - 1
        part = -difference[before] / (difference[after] - difference[before])
        rate = self.far[before] + part * (self.far[after] - self.far[before])
        return float(rate), float(self.thresholds[after if part == 1 else before])


def roc(distances: Distances, same: BoolArray) -> Roc:
    """Compute the ROC curve (Fawcett 2006, algorithm 1: equal distances are one step).

    Raises ValueError unless there are pairs of both kinds.
    """
    if not same.any() or same.all():
        raise ValueError("a ROC curve needs both pairs of one person and pairs of two people")
    order = np.argsort(distances, kind="stable")
    ordered, ordered_same = distances[order].astype(np.float64), same[order]
    ends = np.append(np.flatnonzero(ordered[:-1] < ordered[1:]), len(ordered) - 1)  # the last of equal distances
    accepted = np.cumsum(ordered_same)[ends]
    return Roc(
        far=np.concatenate([[0], (ends + 1 - accepted) / (~same).sum()]),
        val=np.concatenate([[0], accepted / same.sum()]),
        thresholds=np.concatenate([[0], np.nextafter(ordered[ends], np.inf)]),
    )


@dataclass(frozen=True)
class TarAtFar:
    """The true accept rate over all pairs of faces, at a false accept rate of `target`.

    `accepted` counts the pairs of two people with a distance below `threshold`. `tar` is the share of the
    pairs of one person below it. `mean_person_tar` is the mean of the people's own shares: a person with k
    faces has k (k − 1) / 2 pairs, so a few people dominate `tar`. All are None if fewer than MIN_ACCEPTED
    pairs of two people may be accepted, or if no person has two faces.
    """

    target: float
    accepted: int | None = None
    threshold: float | None = None
    tar: float | None = None
    mean_person_tar: float | None = None


@dataclass(frozen=True)
class AllPairsScores:
    """The accuracy over all pairs of `faces`: `same` pairs of one person, `different` of two.

    `people` counts the people with at least two faces.
    """

    faces: int
    people: int
    same: int
    different: int
    rates: tuple[TarAtFar, ...]


def verify_all_pairs(
    embeddings: Float32,
    persons: Sequence[str] | NDArray[np.str_],
    fars: Sequence[float] = ALL_PAIRS_FARS,
    progress: Progress | None = None,
) -> AllPairsScores:
    """Score all pairs of faces, given their embeddings (n, d) and persons (n,).

    TAR = |TA| / |same| and FAR = |FA| / |different| (VAL and FAR of Schroff et al. 2015, equations 5 and 6)
    over every pair of the faces, each counted once. The threshold is the largest that accepts at most
    the share FAR. Distances have the precision of float32. The n × n matrix is never in memory, only
    tiles of it and its smallest distances.
    """
    codes, counts = np.unique(np.asarray(persons), return_inverse=True, return_counts=True)[1:]
    n, same = len(codes), int((counts * (counts - 1) // 2).sum())
    different = n * (n - 1) // 2 - same
    measured = [far for far in fars if same and _count_acceptable(different, far) >= MIN_ACCEPTED]
    rates = {far: TarAtFar(far) for far in fars}
    if measured:
        means = ClusterMeans(embeddings)
        smallest = _smallest_impostor_distances(
            means, codes, _count_acceptable(different, max(measured)) + 1, progress or SilentProgress()
        )
        thresholds = smallest[[_count_acceptable(different, far) for far in measured]]
        accepted = np.array(list(_count_accepted_by_person(means, codes, thresholds)))
        pairs = counts[counts > 1] * (counts[counts > 1] - 1) // 2
        for i, far in enumerate(measured):
            rates[far] = TarAtFar(
                far,
                accepted=int(np.searchsorted(smallest, thresholds[i])),
                threshold=float(thresholds[i]),
                tar=float(accepted[:, i].sum() / same),
                mean_person_tar=float((accepted[:, i] / pairs).mean()),
            )
    return AllPairsScores(n, int((counts > 1).sum()), same, different, tuple(rates[far] for far in fars))


def _smallest_impostor_distances(means: ClusterMeans, codes: Indices, count: int, progress: Progress) -> Float32:
    """The `count` smallest distances of two people, in rising order."""
    n = len(codes)
    limits = np.full(n, np.inf, np.float32)
    kept = [np.empty(0, np.float32)]
    progress.start("comparing all pairs", n, "faces")
    for rows, columns, distances in find_near_pairs(
        lambda part: means.probes(np.arange(part.start, part.stop)),
        means.targets(np.arange(n)),
        limits,
        limits,
        on_rows=triangle_progress(progress.advance, n),
    ):
        kept.append(distances[codes[rows] != codes[columns]])
        if sum(map(len, kept)) > 2 * count:
            kept = [np.partition(np.concatenate(kept), count - 1)[:count]]
            limits[:] = kept[0].max()
    progress.finish()
    return np.sort(np.concatenate(kept))[:count]


def _count_accepted_by_person(means: ClusterMeans, codes: Indices, thresholds: Float32) -> Iterator[list[int]]:
    """Yield the accepted pairs at each threshold, of each person with at least two faces."""
    order = np.argsort(codes, kind="stable")
    for faces in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        if len(faces) < 2:
            continue
        accepted, targets, step = np.zeros(len(thresholds), np.int64), means.targets(faces), _MAX_TILE // len(faces) + 1
        for start in range(0, len(faces), step):
            distances = means.probes(faces[start : start + step]) @ targets[start:].T
            later = np.arange(distances.shape[1]) > np.arange(len(distances))[:, None]
            accepted += [np.count_nonzero(later & (distances < threshold)) for threshold in thresholds]
        yield accepted.tolist()
