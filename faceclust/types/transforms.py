"""Similarity transforms of points, as pure functions.

Points are (x, y) in pixels, x to the right, y down. A transform is a 2×3 matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float64


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> Float64:
    """Return the 2×3 similarity matrix that maps points `source` (k, 2) closest to `target` (k, 2).

    It consists of rotation, uniform scale and translation, without reflection, and minimises the
    squared error (Umeyama 1991, eq. 40-43; complex numbers have a closed form in two dimensions).
    Raises ValueError if all source points are equal.
    """
    a = source[:, 0].astype(np.float64) + 1j * source[:, 1]
    b = target[:, 0].astype(np.float64) + 1j * target[:, 1]
    a_mean, b_mean = a.mean(), b.mean()
    a, b = a - a_mean, b - b_mean
    spread = (np.abs(a) ** 2).sum()
    if not spread > 0:
        raise ValueError("similarity_transform: the source points are all the same")
    turn = (np.conj(a) * b).sum() / spread
    shift = b_mean - turn * a_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def invert_transform(matrix: NDArray[np.floating]) -> Float64:
    """Return the inverse of a 2×3 affine matrix, as a 2×3 matrix."""
    linear = np.linalg.inv(matrix[:, :2].astype(np.float64))
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def transform_points(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> Float64:
    """Apply a 2×3 affine matrix to points (k, 2)."""
    return points @ matrix[:, :2].T.astype(np.float64) + matrix[:, 2]


def transform_scale(matrix: NDArray[np.floating]) -> float:
    """Return the number of target pixels per source pixel of a similarity transform."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))
