"""Boxes, as pure functions.

Conventions everywhere in faceclust: points are (x, y) in pixels, x to the right, y down, with (0,
0) at the top left corner of the top left pixel. Boxes are (left, top, right, bottom). Pixel arrays
are (height, width, channel). Sizes are (width, height).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Float32


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
