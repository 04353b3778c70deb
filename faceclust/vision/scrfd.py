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
from faceclust.vision.single_stage import (
    COARSEST_STRIDE,
    STRIDES,
    Candidates,
    SingleStageDetector,
    cell_coordinates,
    concatenate_candidates,
    unexpected_outputs_error,
)

_ANCHORS_PER_CELL = 2


class Scrfd(SingleStageDetector):
    """A detector by an SCRFD model with nine outputs: of each grid scores (n, 1), boxes (n, 4) and
    landmarks (n, 10), maybe with a leading 1. Which is which their shapes say: exports call them by
    numbers that differ."""

    mean, scale = 127.5, 128.0

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int) -> Candidates:
        by_shape = {value.shape[-2:]: value.reshape(value.shape[-2:]) for value in outputs.values() if value.ndim >= 2}
        parts = []
        for grid in STRIDES:
            n = rows * columns * (COARSEST_STRIDE // grid) ** 2 * _ANCHORS_PER_CELL
            if any((n, numbers) not in by_shape for numbers in (1, 4, 10)) or len(outputs) != 9:
                raise unexpected_outputs_error(
                    "SCRFD", f"nine, for cells of {grid} pixels {n}×1, {n}×4 and {n}×10", outputs
                )
            parts.append(self._decode_grid([by_shape[n, numbers] for numbers in (1, 4, 10)], grid, columns))
        return concatenate_candidates(parts)

    def _decode_grid(self, answers: list[Float32], grid: int, columns: int) -> Candidates:
        scores, sides, points = answers
        found = np.flatnonzero(scores[:, 0] > self._settings.threshold)
        anchor = cell_coordinates(found, columns * COARSEST_STRIDE // grid, _ANCHORS_PER_CELL) * grid
        box = sides[found] * grid
        boxes = np.concatenate([anchor - box[:, :2], anchor + box[:, 2:]], axis=1)
        landmarks = anchor[:, None] + points[found].reshape(-1, 5, 2) * grid
        return Candidates(boxes, scores[found, 0], landmarks)
