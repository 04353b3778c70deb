"""Measures of a quality score: the error-versus-reject curve and rank correlation."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from faceclust.types import Float64


def error_versus_reject(errors: ArrayLike, left: ArrayLike, right: ArrayLike, shares: ArrayLike) -> Float64:
    """The share of errors among the pairs that remain after the worst are rejected.

    The curve of Grother & Tabassi 2007, "Performance of biometric quality measures", IEEE TPAMI 29(4), §4.
    `errors` (n,) is true for a pair of one person judged as two, at a fixed threshold. `left` and
    `right` (n,) are the qualities of its faces; the pair's quality is the lower one. For each of
    `shares` (m,), in 0..1, the ⌊share · n⌋ pairs of lowest quality are rejected. If only some pairs
    of equal quality are rejected, their errors are rejected in proportion. The result is nan if no
    pair remains. Raises ValueError for a share outside 0..1.
    """
    wrong, rejected = np.asarray(errors, np.float64), np.asarray(shares, np.float64)
    if not ((rejected >= 0) & (rejected <= 1)).all():
        raise ValueError("shares: expected numbers from 0 to 1")
    quality = np.minimum(np.asarray(left, np.float64), np.asarray(right, np.float64))
    _, level, counts = np.unique(quality, return_inverse=True, return_counts=True)
    mean = np.bincount(level, wrong, len(counts)) / np.maximum(counts, 1)
    # Errors among the k best pairs, each pair with the mean error of its quality.
    errors_of_best = np.concatenate([[0.0], np.cumsum(np.repeat(mean, counts)[::-1])])
    kept = len(wrong) - np.floor(rejected * len(wrong)).astype(np.int64)
    return np.asarray(np.where(kept > 0, errors_of_best[kept] / np.maximum(kept, 1), np.nan), np.float64)


def area_under_curve(shares: ArrayLike, values: ArrayLike) -> float:
    """The mean height of a curve over rising `shares`, by trapezoids.

    For an error-versus-reject curve, lower is better.
    """
    x, y = np.asarray(shares, np.float64), np.asarray(values, np.float64)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation (1904), −1 to 1, with mean ranks for ties.

    It is nan if one of the lists is constant.
    """
    from scipy.stats import ConstantInputWarning, spearmanr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        return float(spearmanr(np.asarray(a), np.asarray(b)).statistic)
