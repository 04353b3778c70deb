"""YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector").

The network takes BGR 0..255. It returns a class score and an object score, whose geometric mean is
the face's score. For a cell at (column, row) of a grid of s pixels, the box's centre is (cell +
offset)·s, its size is exp(…)·s, and each landmark is (cell + offset)·s.
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

_VALUES_PER_CELL = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


class Yunet(SingleStageDetector):
    """Detector for the model of OpenCV Zoo, with outputs `cls_8` to `kps_32`, (1, n, …) each."""

    colour = "bgr"

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int, threshold: float) -> Candidates:
        for stride in STRIDES:
            n = rows * columns * (COARSEST_STRIDE // stride) ** 2
            for part, size in _VALUES_PER_CELL.items():
                value = outputs.get(f"{part}_{stride}")
                if value is None or value.shape != (1, n, size):
                    expected = f"cls, obj, bbox and kps of 8, 16 and 32, {part}_{stride} as 1×{n}×{size}"
                    raise unexpected_outputs_error("YuNet", expected, outputs)
        return concatenate_candidates(
            [self._decode_grid(outputs, stride, columns * COARSEST_STRIDE // stride, threshold) for stride in STRIDES]
        )

    def _decode_grid(self, out: Mapping[str, Float32], stride: int, columns: int, threshold: float) -> Candidates:
        squared_scores = np.clip(out[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(out[f"obj_{stride}"][0, :, 0], 0, 1)
        scores = np.sqrt(squared_scores)
        found = np.flatnonzero(scores > threshold)
        cell = cell_coordinates(found, columns)
        box = out[f"bbox_{stride}"][0, found]
        with np.errstate(over="ignore"):  # non-finite candidates are dropped later
            centre, half = (cell + box[:, :2]) * stride, np.exp(box[:, 2:]) * (stride / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        landmarks = (cell[:, None] + out[f"kps_{stride}"][0, found].reshape(-1, 5, 2)) * stride
        return Candidates(boxes, scores[found], landmarks)
