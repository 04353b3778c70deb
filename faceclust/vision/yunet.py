"""YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"): one small network finds
faces and their five landmarks over three grids.

The network takes BGR 0..255. For a cell at (column, row) of a grid of s pixels it gives a class and
an object score, whose geometric mean is the face's, the box's centre as (cell + offset)·s, its size
as exp(…)·s, and each landmark as (cell + offset)·s.
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

_VALUES_PER_CELL = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # numbers of a cell


class Yunet(SingleStageDetector):
    """A detector by the model of OpenCV Zoo, outputs `cls_8` to `kps_32`, (1, n, …) each."""

    colour = "bgr"

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int) -> Candidates:
        for grid in STRIDES:
            n = rows * columns * (COARSEST_STRIDE // grid) ** 2
            for part, numbers in _VALUES_PER_CELL.items():
                value = outputs.get(f"{part}_{grid}")
                if value is None or value.shape != (1, n, numbers):
                    expected = f"cls, obj, bbox and kps of 8, 16 and 32, {part}_{grid} as 1×{n}×{numbers}"
                    raise unexpected_outputs_error("YuNet", expected, outputs)
        return concatenate_candidates(
            [self._decode_grid(outputs, grid, columns * COARSEST_STRIDE // grid) for grid in STRIDES]
        )

    def _decode_grid(self, out: Mapping[str, Float32], grid: int, columns: int) -> Candidates:
        both = np.clip(out[f"cls_{grid}"][0, :, 0], 0, 1) * np.clip(out[f"obj_{grid}"][0, :, 0], 0, 1)
        scores = np.sqrt(both)
        found = np.flatnonzero(scores > self._settings.threshold)
        cell = cell_coordinates(found, columns)
        box = out[f"bbox_{grid}"][0, found]
        with np.errstate(over="ignore"):  # what is not finite is dropped
            centre, half = (cell + box[:, :2]) * grid, np.exp(box[:, 2:]) * (grid / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        landmarks = (cell[:, None] + out[f"kps_{grid}"][0, found].reshape(-1, 5, 2)) * grid
        return Candidates(boxes, scores[found], landmarks)
