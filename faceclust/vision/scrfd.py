"""SCRFD with landmarks, as in InsightFace's packs (det_10g, det_500m, scrfd_…_bnkps).

Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection". The network
takes RGB as (x − 127.5) / 128. Each cell of a grid of s pixels has two anchors, both at its upper
left corner. Each anchor has a score between 0 and 1. In units of s, it has the distances to the
four sides of the box and the offsets of the five landmarks.
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
    outputs_by_shape,
    unexpected_outputs_error,
)

_ANCHORS_PER_CELL = 2


class Scrfd(SingleStageDetector):
    """Detector for an SCRFD model with nine outputs.

    Each grid has scores (n, 1), boxes (n, 4) and landmarks (n, 10), possibly with a leading 1. They
    are recognised by shape, because output names differ between exports.
    """

    mean, scale = 127.5, 128.0

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int, threshold: float) -> Candidates:
        by_shape = outputs_by_shape(outputs)
        parts = []
        for stride in STRIDES:
            n = rows * columns * (COARSEST_STRIDE // stride) ** 2 * _ANCHORS_PER_CELL
            if any((n, size) not in by_shape for size in (1, 4, 10)) or len(outputs) != 9:
                raise unexpected_outputs_error(
                    "SCRFD", f"nine, for cells of {stride} pixels {n}×1, {n}×4 and {n}×10", outputs
                )
            parts.append(self._decode_grid([by_shape[n, size] for size in (1, 4, 10)], stride, columns, threshold))
        return concatenate_candidates(parts)

    def _decode_grid(self, outputs_of_grid: list[Float32], stride: int, columns: int, threshold: float) -> Candidates:
        scores, distances, points = outputs_of_grid
        found = np.flatnonzero(scores[:, 0] > threshold)
        anchor = cell_coordinates(found, columns * COARSEST_STRIDE // stride, _ANCHORS_PER_CELL) * stride
        box = distances[found] * stride
        boxes = np.concatenate([anchor - box[:, :2], anchor + box[:, 2:]], axis=1)
        landmarks = anchor[:, None] + points[found].reshape(-1, 5, 2) * stride
        return Candidates(boxes, scores[found, 0], landmarks)
