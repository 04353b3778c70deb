"""RetinaFace (Deng et al. 2020), in its widely used PyTorch version with MobileNet or ResNet.

The paper is "RetinaFace: Single-shot Multi-level Face Localisation in the Wild". The network takes
BGR minus a mean. Each grid cell has two priors, squares around the cell's centre. For each prior,
the network returns the probabilities of "nothing" and "face". For a prior of side a, the box's
centre is an offset in units of 0.1·a, and its size is a·exp(0.2·…). Each landmark is an offset from
the centre in units of 0.1·a. That is SSD's encoding (Liu et al. 2016) with variances 0.1 and 0.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faceclust.packs.pack import ChannelLevels
from faceclust.types import Float32
from faceclust.vision.single_stage import (
    COARSEST_STRIDE,
    STRIDES,
    Candidates,
    SingleStageDetector,
    SingleStageSettings,
    cell_coordinates,
    outputs_by_shape,
    unexpected_outputs_error,
)

_PRIOR_SIDES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # pixels, by stride
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2


@dataclass(frozen=True)
class RetinafaceSettings(SingleStageSettings):
    """Settings of the network's input and output.

    `colour`: channel order, "bgr" or "rgb". `mean` and `scale`: a number, or three in that order.
    `softmaxed`: whether the model's scores are probabilities, not logits.
    """

    colour: str = "bgr"
    mean: ChannelLevels = (104.0, 117.0, 123.0)
    scale: ChannelLevels = 1.0
    softmaxed: bool = True


class Retinaface(SingleStageDetector):
    """Detector for a model with three outputs over all grids: (1, n, 4), (1, n, 2) and (1, n, 10)."""

    def __init__(self, model: object, settings: RetinafaceSettings, size: tuple[int, int] | None = None) -> None:
        super().__init__(model, settings, size)  # type: ignore[arg-type]
        self.colour, self.mean, self.scale = settings.colour, settings.mean, settings.scale
        self._softmaxed = settings.softmaxed

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int, threshold: float) -> Candidates:
        priors = _make_priors(rows, columns)
        by_shape = outputs_by_shape(outputs)
        try:
            offsets, pairs, landmark_offsets = (by_shape[len(priors), size] for size in (4, 2, 10))
        except KeyError:
            n = len(priors)
            raise unexpected_outputs_error("RetinaFace", f"1×{n}×4, 1×{n}×2 and 1×{n}×10", outputs) from None
        with np.errstate(over="ignore"):  # non-finite candidates are dropped later
            nothing, face = pairs.T
            scores = face if self._softmaxed else 1 / (1 + np.exp(nothing - face))
            found = np.flatnonzero(scores > threshold)
            middle, side = priors[found, :2], priors[found, 2:]
            centre = middle + offsets[found, :2] * _CENTRE_VARIANCE * side
            half = side * np.exp(offsets[found, 2:] * _SIZE_VARIANCE) / 2
        landmarks = middle[:, None] + landmark_offsets[found].reshape(-1, 5, 2) * _CENTRE_VARIANCE * side[:, None]
        return Candidates(np.concatenate([centre - half, centre + half], axis=1), scores[found], landmarks)


def _make_priors(rows: int, columns: int) -> Float32:
    """Return the centre and side of each prior in pixels, (n, 3): by grid, by row, the smaller first."""
    parts = []
    for stride in STRIDES:
        width, height = columns * COARSEST_STRIDE // stride, rows * COARSEST_STRIDE // stride
        middle = (cell_coordinates(np.arange(2 * width * height), width, 2) + 0.5) * stride
        sides = np.tile(np.array(_PRIOR_SIDES[stride], np.float32), width * height)
        parts.append(np.concatenate([middle, sides[:, None]], axis=1))
    return np.concatenate(parts).astype(np.float32)
