"""MTCNN (Zhang et al. 2016): a cascade of three networks.

P-Net slides over an image pyramid, R-Net filters 24×24 crops, O-Net filters 48×48 crops and locates
five landmarks. The networks take RGB 0..255; normalisation is inside their graphs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.packs.session import Model
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.effort import Effort
from faceclust.vision.geometry import non_maximum_suppression, square_boxes
from faceclust.vision.pyramid import ImagePyramid

_CELL, _STRIDE = 12, 2  # P-Net's receptive field and stride, in pixels
_STRIP_ROWS = 96  # rows per run of P-Net, so that its activations stay in the CPU cache
_THRESHOLDS = 0.6, 0.7, 0.8  # face probability required by P-, R- and O-Net, of the paper's authors
# For a thorough search: of 120 covered or turned faces of Labeled Faces in the Wild it finds 113, instead of 106;
# on 81 pictures without people 6 false faces, instead of 1 (tests/benchmarks/thorough.py).
_LOW_THRESHOLDS = 0.5, 0.5, 0.6
_OVERLAP = 0.6  # IoU above which the less probable of two proposals is dropped
# R-Net gets all proposals that P-Net is sure of, and the best few of the others: three times fewer
# than with a threshold of .8 for P-Net, and more faces in dark photos (tests/benchmarks/detection.py).
# Smaller faces, which a user may ask for, need a larger level and get more proposals.
_SURE = 0.97
_MAX_UNSURE = {Effort.QUICK: 0, Effort.USUAL: 64, Effort.THOROUGH: 256}
_USUAL_AREA = 600 * 450  # pixels of the largest level for a photo of 4:3
_RNET_MAX_UPSCALE = 1.25  # R-Net tolerates crops upscaled by this factor
# The output name and the strides of P-Net's third convolution in its ONNX file (see packbuilder).
_THIRD_STRIDES = re.compile(rb"(\x12\x0bthird_layer.{1,200}?strides)@\x01@\x01", re.DOTALL)
_BATCH_SIZE = 64  # larger batches of R-Net leave the CPU cache


@dataclass(frozen=True)
class MtcnnSettings:
    """MTCNN has no settings; its thresholds fit its networks."""


class Mtcnn:
    """Detector (see `vision.detect`). With little effort, it leaves out what P-Net is not sure of."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._pnet, self._rnet, self._onet = models["pnet"], models["rnet"], models["onet"]
        self._coarse_pnet = models.get("coarse_pnet")

    def __call__(self, pyramid: ImagePyramid, min_face: float, effort: Effort = Effort.USUAL) -> Detections:
        levels = _LOW_THRESHOLDS if effort is Effort.THOROUGH else _THRESHOLDS
        boxes = self._refine(pyramid, self._propose(pyramid, min_face, effort, levels[0]), levels[1])
        return self._finalise(pyramid, boxes, levels[2])

    def _propose(self, pyramid: ImagePyramid, min_face: float, effort: Effort, threshold: float) -> Float32:
        boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        scale = min(1.0, _CELL / min_face)
        for number, level in enumerate(pyramid.levels(scale, _CELL)):
            box_map, face_map, stride = self._run_pnet(
                level.pixels, coarse=number == 0 and effort is not Effort.THOROUGH
            )
            rows, columns = _find_local_maxima(face_map, threshold)
            corner = np.stack([columns, rows], axis=1).astype(np.float32) * stride
            cell = np.concatenate([corner, corner + _CELL], axis=1)
            cell += box_map[:, rows, columns].T * _CELL
            boxes.append(np.divide(cell, level.scale * 2, dtype=np.float32))
            scores.append(face_map[rows, columns])
        box, score = np.concatenate(boxes), np.concatenate(scores)
        area = math.prod(pyramid.size) * scale**2
        max_unsure = round(_MAX_UNSURE[effort] * max(1.0, area / _USUAL_AREA))
        likely = _select_likely(score, 4 * max_unsure)
        box, score = box[likely], score[likely]
        kept = non_maximum_suppression(box, score, _OVERLAP)
        return square_boxes(box[kept[_select_likely(score[kept], max_unsure)]])

    def _run_pnet(self, level: UInt8, *, coarse: bool) -> tuple[Float32, Float32, int]:
        """Return P-Net's boxes (4, rows, columns), face probabilities (rows, columns), and pixels a cell.

        The largest level is half of the pyramid. A cell for every four pixels of it (`coarse`) saves
        4 ms, and loses no face of the size looked for, because the next level has it, too.
        """
        pnet, stride = self._pnet, _STRIDE
        if coarse and self._coarse_pnet is not None:
            pnet, stride = self._coarse_pnet, 2 * _STRIDE
        images = _to_batch(level[None])
        overlap = _CELL - _STRIDE
        starts = range(0, max(1, images.shape[2] - overlap), _STRIP_ROWS)
        strips = [pnet(np.ascontiguousarray(images[:, :, y : y + _STRIP_ROWS + overlap])) for y in starts]
        box, face = (np.concatenate([strip[name][0] for strip in strips], axis=-2) for name in ("box", "face"))
        return box, face, stride

    def _refine(self, pyramid: ImagePyramid, boxes: Float32, threshold: float) -> Float32:
        out = run_in_batches(self._rnet, pyramid.crop(boxes, 24, max_upscale=_RNET_MAX_UPSCALE))
        passed = out["face"] > threshold
        boxes, score = _apply_offsets(boxes[passed], out["box"][passed]), out["face"][passed]
        return square_boxes(boxes[non_maximum_suppression(boxes, score, 0.7)])

    def _finalise(self, pyramid: ImagePyramid, boxes: Float32, threshold: float) -> Detections:
        out = run_in_batches(self._onet, pyramid.crop(boxes, 48))
        passed = out["face"] > threshold
        boxes, score = boxes[passed], out["face"][passed]
        landmarks = decode_landmarks(boxes, out["landmarks"][passed])
        boxes = _apply_offsets(boxes, out["box"][passed])
        kept = non_maximum_suppression(boxes, score, 0.7, over_smaller_area=True)
        return Detections(boxes[kept], score[kept], landmarks[kept])


def with_coarse_cells(pnet: bytes) -> bytes | None:
    """Return P-Net's ONNX file with a cell for every four pixels instead of two.

    The third convolution gets a stride of 2. Return None if it does not have the name that packbuilder
    gives it.
    """
    coarse, count = _THIRD_STRIDES.subn(b"\\1@\x02@\x02", pnet)
    return coarse if count == 1 else None


def decode_landmarks(boxes: Float32, onet_points: Float32) -> Float32:
    """Convert O-Net's points (n, 10) to landmarks (n, 5, 2) in pixels.

    The points are five x, then five y, as fractions of the crops at `boxes` (n, 4).
    """
    fractions = onet_points.reshape(-1, 2, 5).transpose(0, 2, 1)
    size = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
    return np.asarray(boxes[:, None, :2] + fractions * size, dtype=np.float32)


def _find_local_maxima(face_map: Float32, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the cells above the threshold that exceed all their neighbours.

    A face activates a patch of cells, and the later networks need only the best of them.
    """
    rows, columns = np.nonzero(face_map > threshold)
    padded = np.pad(face_map, 1, constant_values=-math.inf)
    best = np.max([padded[rows + down, columns + right] for down in range(3) for right in range(3)], axis=0)
    kept = face_map[rows, columns] >= best
    return rows[kept], columns[kept]


def _select_likely(scores: Float32, max_unsure: int) -> NDArray[np.intp]:
    """Return the indices of all scores from _SURE up and of the best `max_unsure` others, best first."""
    order = np.argsort(-scores, kind="stable")
    return order[: np.count_nonzero(scores >= _SURE) + max_unsure]


def _apply_offsets(boxes: Float32, offsets: Float32) -> Float32:
    """Shift boxes by offsets that are fractions of their width and height."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([size, size], axis=1), dtype=np.float32)


def run_in_batches(model: Model, crops: UInt8) -> dict[str, Float32]:
    """Run the model on all crops, in batches that bound its memory (at least one, possibly empty)."""
    parts = [model(_to_batch(crops[i : i + _BATCH_SIZE])) for i in range(0, max(len(crops), 1), _BATCH_SIZE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _to_batch(pixels: UInt8) -> Float32:
    """Convert (n, h, w, 3) uint8 to (n, 3, h, w) float32."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
