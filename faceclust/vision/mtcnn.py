"""MTCNN (Zhang et al. 2016): three networks, each looking closer at what the last let through.

P-Net slides over an image pyramid, R-Net judges 24×24 crops, O-Net 48×48 crops and gives
the five landmarks. The networks take RGB 0..255; their scaling is inside the graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from faceclust.packs.session import Model
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.geometry import non_maximum_suppression, square_boxes

_CELL, _STRIDE = 12, 2  # P-Net sees 12×12 pixels, a step every 2
_OUTSIDE = 127  # what a crop shows beyond the picture: the networks' zero
_BATCH = 128


@dataclass(frozen=True)
class MtcnnSettings:
    """`min_face`: side in pixels of the smallest face looked for. `factor`: between two levels
    of the pyramid. `thresholds`: face probability each network asks for."""

    min_face: int = 20
    factor: float = 0.709
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8)


class Mtcnn:
    """A detector: `detector(pixels)` gives the `Detections` in a picture."""

    def __init__(self, models: Mapping[str, Model], settings: MtcnnSettings) -> None:
        self._pnet, self._rnet, self._onet = models["pnet"], models["rnet"], models["onet"]
        self._settings = settings

    def __call__(self, pixels: UInt8) -> Detections:
        picture = Image.fromarray(pixels)
        boxes = self._propose(picture)
        boxes = self._refine(picture, boxes)
        return self._decide(picture, boxes)

    def _propose(self, picture: Image.Image) -> Float32:
        boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        for level, scale in self._pyramid(picture):
            out = self._pnet(_to_batch(np.asarray(level)[None]))
            rows, columns = np.nonzero(out["face"][0] > self._settings.thresholds[0])
            score = out["face"][0, rows, columns]
            corner = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
            cell = np.concatenate([corner, corner + _CELL], axis=1)
            box = (cell + out["box"][0][:, rows, columns].T * _CELL) / np.float32(scale)
            kept = non_maximum_suppression(box, score, 0.5)
            boxes.append(box[kept])
            scores.append(score[kept])
        box, score = np.concatenate(boxes), np.concatenate(scores)
        return square_boxes(box[non_maximum_suppression(box, score, 0.7)])

    def _pyramid(self, picture: Image.Image) -> Iterator[tuple[Image.Image, float]]:
        """Ever smaller copies, each made from the last, until P-Net's cell no longer fits."""
        scale, level = _CELL / self._settings.min_face, picture
        while min(picture.size) * scale >= _CELL:
            width, height = (int(np.ceil(side * scale)) for side in picture.size)
            level = level.resize((width, height), Image.Resampling.BILINEAR)
            yield level, scale
            scale *= self._settings.factor

    def _refine(self, picture: Image.Image, boxes: Float32) -> Float32:
        out = _run(self._rnet, _crops(picture, boxes, 24))
        passed = out["face"] > self._settings.thresholds[1]
        boxes, score = _shift(boxes[passed], out["box"][passed]), out["face"][passed]
        return square_boxes(boxes[non_maximum_suppression(boxes, score, 0.7)])

    def _decide(self, picture: Image.Image, boxes: Float32) -> Detections:
        out = _run(self._onet, _crops(picture, boxes, 48))
        passed = out["face"] > self._settings.thresholds[2]
        boxes, score = boxes[passed], out["face"][passed]
        # Five x, then five y, as fractions of the crop.
        points = out["landmarks"][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        size = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
        landmarks = (boxes[:, None, :2] + points * size).astype(np.float32)
        boxes = _shift(boxes, out["box"][passed])
        kept = non_maximum_suppression(boxes, score, 0.7, over_smaller=True)
        return Detections(boxes[kept], score[kept], landmarks[kept])


def _shift(boxes: Float32, offsets: Float32) -> Float32:
    """Boxes moved by offsets given as fractions of their width and height."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([size, size], axis=1), dtype=np.float32)


def _crops(picture: Image.Image, boxes: Float32, side: int) -> UInt8:
    """The boxes cut out and resized to (n, side, side, 3), grey beyond the picture's edge."""
    out = np.full((len(boxes), side, side, 3), _OUTSIDE, np.uint8)
    width, height = picture.size
    for crop, (left, top, right, bottom) in zip(out, boxes.tolist(), strict=True):
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if x1 - x0 < 1 or y1 - y0 < 1:
            continue
        # Where the part inside the picture lands on the crop.
        across, down = side / (right - left), side / (bottom - top)
        column = min(round((x0 - left) * across), side - 1)
        row = min(round((y0 - top) * down), side - 1)
        columns, rows = max(round((x1 - left) * across) - column, 1), max(round((y1 - top) * down) - row, 1)
        columns, rows = min(columns, side - column), min(rows, side - row)
        part = picture.resize((columns, rows), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        crop[row : row + rows, column : column + columns] = np.asarray(part)
    return out


def _run(model: Model, crops: UInt8) -> dict[str, Float32]:
    """The model over all crops, in batches that bound its memory (at least one, maybe empty)."""
    parts = [model(_to_batch(crops[i : i + _BATCH])) for i in range(0, max(len(crops), 1), _BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _to_batch(pixels: UInt8) -> Float32:
    """(n, h, w, 3) bytes → (n, 3, h, w) float32."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
