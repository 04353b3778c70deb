"""The common part of one-stage detectors, where one network looks at a picture once.

Each cell of three grids, of 8, 16 and 32 pixels, predicts whether it sees a face, with a score, a
box and five landmarks. Each detector decodes these predictions in its own way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import PackError
from faceclust.packs.pack import ChannelLevels
from faceclust.packs.session import Model, format_shape
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.effort import Effort
from faceclust.vision.geometry import non_maximum_suppression
from faceclust.vision.preprocess import to_model_input
from faceclust.vision.pyramid import ImagePyramid

STRIDES = (8, 16, 32)  # pixels per cell
COARSEST_STRIDE = STRIDES[-1]
# Of the usual threshold, in a thorough search. On 90 covered, blurred or dark faces of Labeled Faces in the Wild
# YuNet finds 17 four ways, instead of 9; on 81 pictures without people 7 false faces, instead of 2. With half of the
# threshold it finds 26, and 21 false ones (tests/benchmarks/thorough.py).
_THOROUGH_SHARE = 0.75
_MAX_CANDIDATES = 5000  # best ones kept: a broken network may find a face in every cell


@dataclass(frozen=True)
class SingleStageSettings:
    """Settings of a one-stage detector.

    `smallest`: width of the smallest face the network finds, in pixels. `threshold`: score required
    of a face. `overlap`: IoU above which the worse of two detections is dropped.
    """

    smallest: int
    threshold: float
    overlap: float


class Candidates(NamedTuple):
    """Boxes (n, 4), scores (n,) and landmarks (n, 5, 2), in pixels of the network's input."""

    boxes: Float32
    scores: Float32
    landmarks: Float32


class SingleStageDetector(ABC):
    """Detector (see `vision.detect`), never quicker than usual.

    `size`: (width, height) of the network's input, None if it takes any size. Subclasses set the input format
    (`colour`, `mean`, `scale`) and implement `decode`.
    """

    colour = "rgb"
    mean: ChannelLevels = 0.0
    scale: ChannelLevels = 1.0

    def __init__(self, model: Model, settings: SingleStageSettings, size: tuple[int, int] | None = None) -> None:
        self._model, self._settings, self._fixed_size = model, settings, size

    def __call__(self, pyramid: ImagePyramid, min_face: float, effort: Effort = Effort.USUAL) -> Detections:
        threshold = self._settings.threshold * (_THOROUGH_SHARE if effort is Effort.THOROUGH else 1)
        scale = min(1.0, self._settings.smallest / min_face)
        if self._fixed_size:
            scale = min(scale, self._fixed_size[0] / pyramid.size[0], self._fixed_size[1] / pyramid.size[1])
        padded = self._pad(pyramid.resize(scale))
        out = self._model(to_model_input(padded[None], self.colour, self.mean, self.scale))
        rows, columns = (side // COARSEST_STRIDE for side in padded.shape[:2])
        found = _select_best(self.decode(out, rows, columns, threshold))
        kept = non_maximum_suppression(found.boxes, found.scores, self._settings.overlap)
        return Detections(*(column[kept].astype(np.float32) for column in found)).scaled(1 / scale)

    @abstractmethod
    def decode(self, outputs: Mapping[str, Float32], rows: int, columns: int, threshold: float) -> Candidates:
        """Return the candidates with a score above the threshold, decoded from the network's outputs.

        `rows` and `columns` are those of the coarsest grid. Raises PackError for outputs of another
        kind.
        """

    def _pad(self, copy: UInt8) -> UInt8:
        """Pad with black to whole cells of the coarsest grid, or to the fixed input size."""
        rows, columns = (-(-side // COARSEST_STRIDE) for side in copy.shape[:2])
        height, width = (
            self._fixed_size[::-1] if self._fixed_size else (rows * COARSEST_STRIDE, columns * COARSEST_STRIDE)
        )
        padded = np.zeros((height, width, 3), np.uint8)
        padded[: copy.shape[0], : copy.shape[1]] = copy[:height, :width]
        return padded


def cell_coordinates(indices: NDArray[np.intp], columns: int, anchors_per_cell: int = 1) -> Float32:
    """Return the cell (column, row) of each prediction index, (n, 2).

    Predictions are ordered by row, with the anchors of a cell one after the other.
    """
    cell = indices // anchors_per_cell
    return np.stack([cell % columns, cell // columns], axis=1).astype(np.float32)


def concatenate_candidates(parts: list[Candidates]) -> Candidates:
    """Concatenate the candidates of several grids."""
    return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def outputs_by_shape(outputs: Mapping[str, Float32]) -> dict[tuple[int, ...], Float32]:
    """Return outputs by the shape of their last two axes, with leading axes of 1 removed."""
    return {value.shape[-2:]: value.reshape(value.shape[-2:]) for value in outputs.values() if value.ndim >= 2}


def _select_best(found: Candidates) -> Candidates:
    usable = np.isfinite(found.scores) & np.isfinite(found.boxes).all(axis=1)
    usable &= np.isfinite(found.landmarks).all(axis=(1, 2))
    order = np.flatnonzero(usable)
    order = np.sort(order[np.argsort(-found.scores[order], kind="stable")[:_MAX_CANDIDATES]])
    return Candidates(*(column[order] for column in found))


def unexpected_outputs_error(kind: str, expected: str, outputs: Mapping[str, Float32]) -> PackError:
    """Return the error for outputs that a decoder cannot read."""
    shapes = {name: format_shape(value.shape) if value.ndim else "one number" for name, value in outputs.items()}
    found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    return PackError(f"the model's outputs are not {kind}'s: expected {expected}; found {found}")
