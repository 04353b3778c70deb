"""SCRFD with landmarks (Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face
Detection"), as InsightFace's packs carry it: det_10g, det_500m, scrfd_…_bnkps.

The network takes RGB as (x − 127.5) / 128. Each cell of a grid of s pixels has two anchors, both at
the cell's upper left corner; each gives a score between 0 and 1, the distances from there to the four
sides of the box in units of s, and the five landmarks as offsets from there, in the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faceclust.types import Float32
from faceclust.vision.single_stage import COARSEST, GRIDS, Candidates, GridDetector, cells, joined, no_such_outputs

_ANCHORS = 2


class Scrfd(GridDetector):
    """A detector by an SCRFD model with nine outputs: of each grid scores (n, 1), boxes (n, 4) and
    landmarks (n, 10), maybe with a leading 1. Which is which their shapes say: exports call them by
    numbers that differ."""

    mean, scale = 127.5, 128.0

    def decode(self, out: Mapping[str, Float32], rows: int, columns: int) -> Candidates:
        by_shape = {value.shape[-2:]: value.reshape(value.shape[-2:]) for value in out.values() if value.ndim >= 2}
        parts = []
        for grid in GRIDS:
            n = rows * columns * (COARSEST // grid) ** 2 * _ANCHORS
            if any((n, numbers) not in by_shape for numbers in (1, 4, 10)) or len(out) != 9:
                raise no_such_outputs("SCRFD", f"nine, for cells of {grid} pixels {n}×1, {n}×4 and {n}×10", out)
            parts.append(self._of_grid([by_shape[n, numbers] for numbers in (1, 4, 10)], grid, columns))
        return joined(parts)

    def _of_grid(self, answers: list[Float32], grid: int, columns: int) -> Candidates:
        scores, sides, points = answers
        found = np.flatnonzero(scores[:, 0] > self._settings.threshold)
        anchor = cells(found, columns * COARSEST // grid, _ANCHORS) * grid
        box = sides[found] * grid
        boxes = np.concatenate([anchor - box[:, :2], anchor + box[:, 2:]], axis=1)
        landmarks = anchor[:, None] + points[found].reshape(-1, 5, 2) * grid
        return Candidates(boxes, scores[found, 0], landmarks)
