"""Does a quality tell good faces from bad ones? The error-versus-reject curve, and rank correlation."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from faceclust.types import Float64


def error_versus_reject(errors: ArrayLike, left: ArrayLike, right: ArrayLike, shares: ArrayLike) -> Float64:
    """The share of errors among the pairs that are left when the worst are put away (Grother &
    Tabassi 2007, "Performance of biometric quality measures", IEEE TPAMI 29(4), §4).

    `errors` (n,): whether a pair of one person was told to be two, at a threshold that stays as it
    is. `left`, `right` (n,): the qualities of its faces; the pair's is the lesser of them. For each
    of `shares` (m,), in 0..1, the ⌊share · n⌋ pairs of least quality are put away; where only some
    of equal quality go, they go in proportion. nan where no pair is left. Raises ValueError for a
    share outside 0..1.
    """
    wrong, parts = np.asarray(errors, np.float64), np.asarray(shares, np.float64)
    if not ((parts >= 0) & (parts <= 1)).all():
        raise ValueError("shares: expected numbers from 0 to 1")
    quality = np.minimum(np.asarray(left, np.float64), np.asarray(right, np.float64))
    _, level, counts = np.unique(quality, return_inverse=True, return_counts=True)
    mean = np.bincount(level, wrong, len(counts)) / np.maximum(counts, 1)
    # From the best to the worst: what k pairs hold of errors, at their level's mean each.
    held = np.concatenate([[0.0], np.cumsum(np.repeat(mean, counts)[::-1])])
    kept = len(wrong) - np.floor(parts * len(wrong)).astype(np.int64)
    return np.asarray(np.where(kept > 0, held[kept] / np.maximum(kept, 1), np.nan), np.float64)


def area_under_curve(shares: ArrayLike, values: ArrayLike) -> float:
    """The mean height of a curve over the rising `shares`, by trapezoids: for an error-versus-reject
    curve the smaller, the better the quality."""
    x, y = np.asarray(shares, np.float64), np.asarray(values, np.float64)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's (1904): the correlation of two lists' ranks, −1 to 1, equal values at their mean
    rank; nan where one of them does not vary."""
    from scipy.stats import ConstantInputWarning, spearmanr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        return float(spearmanr(np.asarray(a), np.asarray(b)).statistic)
