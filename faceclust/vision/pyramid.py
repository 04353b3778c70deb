"""A picture at every size a detector asks for, made cheaply."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from faceclust.types import Float32, UInt8

_OUTSIDE = 127  # what a crop shows beyond the picture: about what the networks take for zero


class Pyramid:
    """A picture and its halved copies, each made when it is first needed. A smaller picture is
    made from the smallest copy that is large enough: what it costs hangs on its own size, not on
    that of the picture."""

    def __init__(self, pixels: UInt8) -> None:
        self._pixels = pixels
        self._copies: list[Image.Image] = []  # from the half on

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, px."""
        return self._pixels.shape[1], self._pixels.shape[0]

    def resized(self, scale: float) -> UInt8:
        """The picture at `scale` (at most 1), uint8 (h, w, 3); sides are rounded up."""
        width, height = (math.ceil(side * scale) for side in self.size)
        halvings = self._halvings(1 / scale)
        shrunk = 0.5**halvings
        # A copy's last column may stand for half of one: only what the picture covers is taken.
        covered = (0.0, 0.0, self.size[0] * shrunk, self.size[1] * shrunk)
        source = self._copy(halvings) if halvings else Image.fromarray(self._pixels)
        return np.asarray(source.resize((width, height), Image.Resampling.BILINEAR, box=covered))

    def crops(self, boxes: Float32, side: int) -> UInt8:
        """The square boxes (n, 4) cut out and resized to (n, side, side, 3), grey beyond the
        picture's edge."""
        out = np.full((len(boxes), side, side, 3), _OUTSIDE, np.uint8)
        for crop, box in zip(out, boxes.tolist(), strict=True):
            self._cut(crop, box)
        return out

    def _cut(self, crop: UInt8, box: list[float]) -> None:
        side = len(crop)
        left, top, right, bottom = box
        if not (right - left >= 1 and bottom - top >= 1):
            return
        halvings = self._halvings((right - left) / side)
        shrunk = 0.5**halvings
        left, top, right, bottom = left * shrunk, top * shrunk, right * shrunk, bottom * shrunk
        width, height = self.size[0] * shrunk, self.size[1] * shrunk
        x0, y0, x1, y1 = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
        if x1 - x0 < shrunk or y1 - y0 < shrunk:
            return
        # Where the part inside the picture lands on the crop.
        across, down = side / (right - left), side / (bottom - top)
        column = min(round((x0 - left) * across), side - 1)
        row = min(round((y0 - top) * down), side - 1)
        columns = min(max(round((x1 - left) * across) - column, 1), side - column)
        rows = min(max(round((y1 - top) * down) - row, 1), side - row)
        if halvings:
            source = self._copy(halvings)
        else:  # of the picture itself only what is needed is taken over
            i, j = int(x0), int(y0)
            source = Image.fromarray(self._pixels[j : math.ceil(y1), i : math.ceil(x1)])
            x0, y0, x1, y1 = x0 - i, y0 - j, x1 - i, y1 - j
        part = source.resize((columns, rows), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        crop[row : row + rows, column : column + columns] = np.asarray(part)

    def _halvings(self, reduction: float) -> int:
        """How often the picture can be halved and still be shrunk to 1/`reduction` from there."""
        return max(0, math.floor(math.log2(reduction)))

    def _copy(self, halvings: int) -> Image.Image:
        if not self._copies:
            self._copies.append(_half(self._pixels))
        while len(self._copies) < halvings:
            self._copies.append(self._copies[-1].reduce(2))
        return self._copies[halvings - 1]


def _half(pixels: UInt8) -> Image.Image:
    """A picture at half its size. Pixels turned upright lie in memory as they were before: they are
    halved so, and turned then, which moves a quarter of them."""
    rows, columns, _ = pixels.strides
    as_stored = pixels[:: _sign(rows), :: _sign(columns)]
    swapped = abs(rows) < abs(columns)
    if swapped:
        as_stored = as_stored.swapaxes(0, 1)
    if -1 in (_sign(rows), _sign(columns)) and (pixels.shape[0] % 2 or pixels.shape[1] % 2):
        return Image.fromarray(pixels).reduce(2)  # the odd row or column has to be the last
    half = np.asarray(Image.fromarray(as_stored).reduce(2))
    half = half.swapaxes(0, 1) if swapped else half
    return Image.fromarray(half[:: _sign(rows), :: _sign(columns)])


def _sign(stride: int) -> int:
    return -1 if stride < 0 else 1
