"""Boxes, points and similarity transforms, as pure functions.

Conventions everywhere in faceclust: points are (x, y) in pixels, x to the right, y down, with (0,
0) at the top left corner of the top left pixel. Boxes are (left, top, right, bottom). Pixel arrays
are (height, width, channel). Sizes are (width, height).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32, Float64


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


def non_maximum_suppression(
    boxes: Float32, scores: Float32, overlap: float, *, over_smaller_area: bool = False
) -> NDArray[np.intp]:
    """Return the indices of the boxes to keep, best score first (ties: lower index first).

    A box is dropped if its overlap with a better box that is kept exceeds `overlap`. The measure is
    intersection over union or, with `over_smaller_area`, intersection over the smaller area
    (MTCNN's last stage).
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = np.ascontiguousarray(boxes[order].T)
    area = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    kept = np.ones(len(order), np.bool_)
    for i in range(len(order)):
        if not kept[i]:
            continue
        rest = slice(i + 1, None)  # slices are views: copying would dominate the run time
        width = np.minimum(right[i], right[rest]) - np.maximum(left[i], left[rest])
        height = np.minimum(bottom[i], bottom[rest]) - np.maximum(top[i], top[rest])
        both = np.maximum(width, 0) * np.maximum(height, 0)
        base = np.minimum(area[i], area[rest]) if over_smaller_area else area[i] + area[rest] - both
        kept[rest] &= both <= overlap * base
    return order[kept]


def square_boxes(boxes: Float32) -> Float32:
    """Grow each box around its centre to a square of its longer side."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    half = np.maximum(width, height) / 2
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return np.stack([x - half, y - half, x + half, y + half], axis=1).astype(np.float32)
