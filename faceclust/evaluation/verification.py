"""Same or different? The protocol of Labeled Faces in the Wild and FaceNet's VAL at FAR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError


@dataclass(frozen=True)
class PairList:
    """Pairs of photos, (person, number) each: `folds` (n,) tells each pair's fold."""

    left: tuple[tuple[str, int], ...]
    right: tuple[tuple[str, int], ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]


@dataclass(frozen=True)
class VerificationScores:
    """Means over the folds; `accuracy_error` is the standard error of the mean. `val` and `far`
    are measured on each held-out fold at the threshold the other folds gave for `target_far`."""

    accuracy: float
    accuracy_error: float
    threshold: float
    val: float
    far: float
    target_far: float


def read_pairs(path: Path) -> PairList:
    """Read a list in the layout of LFW's `pairs.txt`: "folds  pairs", then for each fold that
    many lines "name i j" (same) and as many "name i other j" (different), tab-separated.

    Raises UsageError that names the line.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        folds, pairs = (int(part) for part in lines[0].split())
    except (IndexError, ValueError):
        raise UsageError(f"{path}:1: expected two numbers, folds and pairs a fold") from None
    left, right = [], []
    for number, line in enumerate(lines[1:], start=2):
        parts = line.split("\t")
        try:
            if len(parts) == 3:
                parts.insert(2, parts[0])
            name, i, other, j = parts
            left.append((name, int(i)))
            right.append((other, int(j)))
        except ValueError:
            raise UsageError(f"{path}:{number}: expected `name i j` or `name i other j`, found {line!r}") from None
    if len(left) != folds * pairs * 2:
        raise UsageError(f"{path}: {len(left)} pairs, its first line promises {folds * pairs * 2}")
    same = np.array([a[0] == b[0] for a, b in zip(left, right, strict=True)])
    return PairList(tuple(left), tuple(right), same, np.repeat(np.arange(folds, dtype=np.int32), pairs * 2))


def verify_folds(
    distances: NDArray[np.floating], same: NDArray[np.bool_], folds: NDArray[np.int32], target_far: float = 1e-3
) -> VerificationScores:
    """Score pairs by the LFW protocol: for each fold, the threshold that is best on the others.

    `distances` (n,): squared L2, a pair is accepted below the threshold; a pair of which a
    face was not found belongs in here with distance infinity. VAL and FAR: FaceNet (Schroff
    et al. 2015), §4, equations 5 and 6.
    """
    accuracy, thresholds, vals, fars = [], [], [], []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        threshold = best_threshold(distances[train], same[train])
        thresholds.append(threshold)
        accuracy.append(((distances[test] < threshold) == same[test]).mean())
        strict = threshold_at_far(distances[train & ~same], target_far)
        vals.append((distances[test & same] < strict).mean())
        fars.append((distances[test & ~same] < strict).mean())
    return VerificationScores(
        accuracy=float(np.mean(accuracy)),
        accuracy_error=float(np.std(accuracy) / np.sqrt(len(accuracy))),
        threshold=float(np.mean(thresholds)),
        val=float(np.mean(vals)),
        far=float(np.mean(fars)),
        target_far=target_far,
    )


def best_threshold(distances: NDArray[np.floating], same: NDArray[np.bool_]) -> float:
    """The threshold with most right answers; of several, the one in the middle of the list."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order].astype(np.float64)
    gain = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))])
    # A threshold lies before all distances, between two that differ, or after the last.
    cuts = np.concatenate([ordered[:1], (ordered[:-1] + ordered[1:]) / 2, np.nextafter(ordered[-1:], np.inf)])
    possible = np.concatenate([[True], ordered[:-1] < ordered[1:], np.isfinite(ordered[-1:])])
    best = np.flatnonzero(possible & (gain == gain[possible].max()))
    return float(cuts[best[len(best) // 2]])


def threshold_at_far(impostor_distances: NDArray[np.floating], far: float) -> float:
    """The largest threshold that accepts at most the share `far` of different-person pairs."""
    ordered = np.sort(impostor_distances)
    return float(ordered[int(np.floor(far * len(ordered)))])
