"""Match boxes drawn by other programs with the found faces.

Programs draw boxes of different sizes around the same face: tight ones, or with hair and chin. So the
overlap is computed after both boxes are scaled to one size, and the ratio of sizes has a limit of its
own. On a synthetic album (694 faces, half of them removed), boxes of 0.7 to 2.4 times the size, shifted
by a tenth of it, were matched with the right face except for 1 in 300, and none with a wrong one. A
plain IoU threshold of 0.3 loses nine in ten of the boxes of twice the size. A threshold of 0.1 accepts
a face that is four fifths of its width away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceclust.types import Box

#: Minimum IoU of two boxes scaled to one size. The centres are then at most about half a face apart.
MIN_OVERLAP = 0.3
#: Maximum ratio of sizes (square roots of the areas).
MAX_SIZE_RATIO = 3.0


def compute_fit(boxes: Sequence[Box], faces: Sequence[Box]) -> NDArray[np.float64]:
    """Compute how well each box fits each face, float64 (boxes, faces) from 0 (not at all) to 1.

    Both are in units with the same scale for width and height, such as pixels.
    """
    a, b = np.asarray(boxes, np.float64).reshape(-1, 1, 4), np.asarray(faces, np.float64).reshape(1, -1, 4)
    sides_a, sides_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    apart = np.abs((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2
    common = np.sqrt(sides_a * sides_b)
    both = np.maximum(common - apart, 0).prod(axis=2)
    overlap = both / np.maximum(2 * common.prod(axis=2) - both, 1e-12)
    ratio = np.sqrt(sides_a.prod(axis=2) / np.maximum(sides_b.prod(axis=2), 1e-12))
    ratio = np.minimum(ratio, 1 / np.maximum(ratio, 1e-12))
    # A small penalty for the size decides between a face and another one around or inside it.
    return np.where((overlap >= MIN_OVERLAP) & (ratio * MAX_SIZE_RATIO >= 1), overlap * ratio**0.25, 0.0)


def match_boxes(fit: NDArray[np.float64]) -> dict[int, int]:
    """Assign boxes to faces, one to one, with the maximum sum of `fit`.

    Boxes that fit no face are left out.
    """
    if not fit.size:
        return {}
    from scipy.optimize import linear_sum_assignment  # slow to import: 0.1 s

    pairs = zip(*linear_sum_assignment(-fit), strict=True)
    return {int(box): int(face) for box, face in pairs if fit[box, face] > 0}
