"""Boxes and their intersection over union (IoU, the Jaccard index of two areas)."""

from __future__ import annotations

import numpy as np

from faceclust.types.arrays import Float32

#: Left, top, right, bottom: in pixels, or as fractions of the picture's width and height.
Box = tuple[float, float, float, float]
#: The box, in fractions, of a person who is on a photo without a face to be seen.
WHOLE_PHOTO: Box = (0.0, 0.0, 1.0, 1.0)
#: Boxes with at least this intersection over union on the same photo are the same face.
SAME_FACE_OVERLAP = 0.4
#: Pixels of the upright photo: a smaller box is a slip of the hand.
MIN_DRAWN_SIZE = 4
#: Boxes drawn by hand have this many decimals in the journal, and the id of a face follows from its box.
BOX_DECIMALS = 5


def intersection_over_union(a: Box, b: Box) -> float:
    """Return the IoU of two boxes, 0 to 1; 0 if neither has an area."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    intersection = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return intersection / union if union > 0 else 0.0


def paired_intersection_over_union(a: Float32, b: Float32) -> Float32:
    """Return the IoU of each box of `a` (n, 4) and the box of `b` (n, 4) in the same row, float32 (n,)."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    intersection = np.maximum(sides, 0).prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - intersection
    return np.asarray(intersection / np.maximum(union, 1e-12), dtype=np.float32)
