"""YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"): one small network finds
faces and their five landmarks over three grids, of 8, 16 and 32 pixels.

The network takes BGR 0..255, sides padded to whole cells of the coarsest grid. For a cell at
(column, row) of a grid of s pixels it gives a class and an object score, whose geometric mean is
the face's, the box's centre as (cell + offset)·s, its size as exp(…)·s, and each landmark as
(cell + offset)·s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceclust.packs.session import Model
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.geometry import non_maximum_suppression
from faceclust.vision.pyramid import Pyramid

_GRIDS = (8, 16, 32)  # px of a cell


@dataclass(frozen=True)
class YunetSettings:
    """`smallest`: width in pixels of the smallest face the network finds. `threshold`: the score a
    face needs. `overlap`: IoU above which the worse of two detections is dropped."""

    smallest: int
    threshold: float
    overlap: float


class Yunet:
    """A detector: `detector(pixels, min_face)` gives the `Detections` in a picture (H, W, 3);
    `min_face` is the width, in its pixels, of the smallest face looked for."""

    def __init__(self, model: Model, settings: YunetSettings) -> None:
        self._model, self._settings = model, settings

    def __call__(self, pixels: UInt8, min_face: float) -> Detections:
        scale = min(1.0, self._settings.smallest / min_face)
        out, columns = self._run(Pyramid(pixels).resized(scale))
        parts = [self._decode(out, grid, columns * _GRIDS[-1] // grid) for grid in _GRIDS]
        boxes, scores, landmarks = (np.concatenate(part) for part in zip(*parts, strict=True))
        kept = non_maximum_suppression(boxes, scores, self._settings.overlap)
        return Detections(boxes[kept], scores[kept], landmarks[kept]).scaled(1 / scale)

    def _run(self, copy: UInt8) -> tuple[dict[str, Float32], int]:
        """The network's outputs, and how many columns its coarsest grid has."""
        rows, columns = (-(-side // _GRIDS[-1]) for side in copy.shape[:2])
        padded = np.zeros((1, 3, rows * _GRIDS[-1], columns * _GRIDS[-1]), np.float32)
        padded[0, :, : copy.shape[0], : copy.shape[1]] = copy[:, :, ::-1].transpose(2, 0, 1)
        return self._model(padded), columns

    def _decode(self, out: dict[str, Float32], grid: int, columns: int) -> tuple[Float32, Float32, Float32]:
        """Boxes (n, 4), scores (n,) and landmarks (n, 5, 2) of one grid, in the copy's pixels."""
        both = np.clip(out[f"cls_{grid}"][0, :, 0], 0, 1) * np.clip(out[f"obj_{grid}"][0, :, 0], 0, 1)
        scores = np.sqrt(both)
        found = np.flatnonzero(scores > self._settings.threshold)
        cells = np.stack([found % columns, found // columns], axis=1).astype(np.float32)
        box = out[f"bbox_{grid}"][0, found]
        centre, half = (cells + box[:, :2]) * grid, np.exp(box[:, 2:]) * (grid / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        landmarks = (cells[:, None] + out[f"kps_{grid}"][0, found].reshape(-1, 5, 2)) * grid
        return boxes.astype(np.float32), scores[found], landmarks.astype(np.float32)
