"""RetinaFace (Deng et al. 2020, "RetinaFace: Single-shot Multi-level Face Localisation in the Wild")
as the much used PyTorch version of it has it, with a MobileNet or a ResNet.

The network takes BGR less a mean. Each cell of a grid has two priors, squares about the cell's middle
with the sides below. For a prior of side a it gives the probabilities of "nothing" and "face"; the
box's centre as an offset in units of 0.1·a and its size as a·exp(0.2·…), and each landmark as an
offset from the middle in units of 0.1·a: SSD's encoding (Liu et al. 2016) with variances .1 and .2.
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
    unexpected_outputs_error,
)

_PRIOR_SIDES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # px
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2  # variances


@dataclass(frozen=True)
class RetinafaceSettings(SingleStageSettings):
    """`colour`: the order of the channels, "bgr" or "rgb"; `mean` and `scale`: a number, or three in
    that order. `softmaxed`: whether the model gives probabilities, not yet what softmax makes them of."""

    colour: str = "bgr"
    mean: ChannelLevels = (104.0, 117.0, 123.0)
    scale: ChannelLevels = 1.0
    softmaxed: bool = True


class Retinaface(SingleStageDetector):
    """A detector by a model with three outputs over all grids: (1, n, 4), (1, n, 2) and (1, n, 10)."""

    def __init__(self, model: object, settings: RetinafaceSettings, size: tuple[int, int] | None = None) -> None:
        super().__init__(model, settings, size)  # type: ignore[arg-type]
        self.colour, self.mean, self.scale = settings.colour, settings.mean, settings.scale
        self._softmaxed = settings.softmaxed

    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int) -> Candidates:
        prior = _make_priors(rows, columns)
        by_shape = {value.shape[-2:]: value.reshape(value.shape[-2:]) for value in outputs.values() if value.ndim >= 2}
        try:
            place, sure, points = (by_shape[len(prior), numbers] for numbers in (4, 2, 10))
        except KeyError:
            n = len(prior)
            raise unexpected_outputs_error("RetinaFace", f"1×{n}×4, 1×{n}×2 and 1×{n}×10", outputs) from None
        with np.errstate(over="ignore"):  # what is not finite is dropped
            scores = sure[:, 1] if self._softmaxed else 1 / (1 + np.exp(sure[:, 0] - sure[:, 1]))
            found = np.flatnonzero(scores > self._settings.threshold)
            middle, side = prior[found, :2], prior[found, 2:]
            centre = middle + place[found, :2] * _CENTRE_VARIANCE * side
            half = side * np.exp(place[found, 2:] * _SIZE_VARIANCE) / 2
        landmarks = middle[:, None] + points[found].reshape(-1, 5, 2) * _CENTRE_VARIANCE * side[:, None]
        return Candidates(np.concatenate([centre - half, centre + half], axis=1), scores[found], landmarks)


def _make_priors(rows: int, columns: int) -> Float32:
    """Each prior's middle and side, px, (n, 3): grid by grid, row by row, the smaller first."""
    parts = []
    for grid in STRIDES:
        wide, high = columns * COARSEST_STRIDE // grid, rows * COARSEST_STRIDE // grid
        middle = (cell_coordinates(np.arange(2 * wide * high), wide, 2) + 0.5) * grid
        sides = np.tile(np.array(_PRIOR_SIDES[grid], np.float32), wide * high)
        parts.append(np.concatenate([middle, sides[:, None]], axis=1))
    return np.concatenate(parts).astype(np.float32)
