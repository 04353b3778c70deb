"""A picture in every size that a detector asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from faceclust.types import Float32, UInt8
from faceclust.vision.pillow_image import to_pillow_image, to_rgb_array

_FILL_VALUE = 127  # grey beyond the picture's edge, about zero after normalisation


class PyramidLevel(NamedTuple):
    """A smaller copy of a picture: pixels uint8 (h, w, 3), and its exact scale across and down."""

    pixels: UInt8
    scale: tuple[float, float]


class ImagePyramid:
    """A picture and its copies at 1/2, 1/4, …, each made when first needed.

    A smaller picture is resized from the smallest copy that is large enough. The cost therefore
    depends on its own size, not on the picture's.
    """

    def __init__(self, pixels: UInt8) -> None:
        self._pixels = pixels
        self._halved_copies: dict[int, Image.Image] = {}  # by number of halvings

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._pixels.shape[1], self._pixels.shape[0]

    def resize(self, scale: float) -> UInt8:
        """Return the picture at `scale` (at most 1), uint8 (h, w, 3); sides are rounded up."""
        return to_rgb_array(self._resized(scale, Image.Resampling.BILINEAR))

    def levels(self, scale: float, smallest: int) -> Iterator[PyramidLevel]:
        """Yield copies at `scale` (at most 1) and at each scale smaller by a factor of √2, as long as the
        shorter side has `smallest` pixels.

        Only the first two are resized, by averaging. Each other is half of the one two before, which
        saves a twelfth of the detector's time and finds more turned, noisy and dark faces
        (tests/benchmarks/detection.py).
        """
        first = self._resized(scale, Image.Resampling.BOX)
        second_size = math.ceil(first.width * math.sqrt(0.5)), math.ceil(first.height * math.sqrt(0.5))
        images = [first, first.resize(second_size, Image.Resampling.BOX)]
        for number in range(_count_levels(min(self.size) * scale, smallest)):
            if number >= 2:
                images.append(images[-2].reduce(2))
            pair, halving = images[number % 2], 0.5 ** (number // 2)
            exact = pair.width / self.size[0] * halving, pair.height / self.size[1] * halving
            yield PyramidLevel(to_rgb_array(images[number]), exact)

    def _resized(self, scale: float, method: Image.Resampling) -> Image.Image:
        size = math.ceil(self.size[0] * scale), math.ceil(self.size[1] * scale)
        halvings = _count_halvings(1 / scale)
        reduction = 0.5**halvings
        # The last row and column of a copy may be partial: take only what the picture covers.
        covered = (0.0, 0.0, self.size[0] * reduction, self.size[1] * reduction)
        return self._halved_copy(halvings).resize(size, method, box=covered)

    def crop(self, boxes: Float32, side: int, max_upscale: float = 1.0) -> UInt8:
        """Cut square boxes (n, 4) and resize them to (n, side, side, 3).

        Pixels beyond the picture's edge are grey. Boxes may be upscaled by up to `max_upscale` if
        that saves work.
        """
        out = np.full((len(boxes), side, side, 3), _FILL_VALUE, np.uint8)
        for crop, box in zip(out, boxes.tolist(), strict=True):
            self._fill_crop(crop, box, max_upscale)
        return out

    def _fill_crop(self, crop: UInt8, box: list[float], max_upscale: float) -> None:
        side = len(crop)
        left, top, right, bottom = box
        if not (right - left >= 1 and bottom - top >= 1):
            return
        halvings = _count_halvings(max_upscale * (right - left) / side)
        if halvings == 1 and 1 not in self._halved_copies:
            halvings = 0  # converting the box is cheaper than making the copy
        reduction = 0.5**halvings
        left, top, right, bottom = left * reduction, top * reduction, right * reduction, bottom * reduction
        width, height = self.size[0] * reduction, self.size[1] * reduction
        x0, y0, x1, y1 = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
        if x1 - x0 < reduction or y1 - y0 < reduction:
            return
        # Position on the crop of the part inside the picture.
        across, down = side / (right - left), side / (bottom - top)
        column = min(round((x0 - left) * across), side - 1)
        row = min(round((y0 - top) * down), side - 1)
        columns = min(max(round((x1 - left) * across) - column, 1), side - column)
        rows = min(max(round((y1 - top) * down) - row, 1), side - row)
        if halvings:
            source = self._halved_copy(halvings)
        else:
            i, j = int(x0), int(y0)
            source = to_pillow_image(self._pixels[j : math.ceil(y1), i : math.ceil(x1)])
            x0, y0, x1, y1 = x0 - i, y0 - j, x1 - i, y1 - j
        part = source.resize((columns, rows), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        crop[row : row + rows, column : column + columns] = to_rgb_array(part)

    def _halved_copy(self, halvings: int) -> Image.Image:
        if halvings not in self._halved_copies:
            if halvings - 1 in self._halved_copies or halvings > 2:
                self._halved_copies[halvings] = self._halved_copy(halvings - 1).reduce(2)
            else:
                self._halved_copies[halvings] = _reduce_pixels(self._pixels, 2**halvings)
        return self._halved_copies[halvings]


def _count_levels(side: float, smallest: int) -> int:
    """Return how many of the sides `side`, `side`/√2, `side`/2, … are at least `smallest`."""
    return max(0, math.floor(2 * math.log2(side / smallest) + 1e-9) + 1)


def _count_halvings(reduction: float) -> int:
    """Return how often a picture can be halved before it is smaller than 1/`reduction`."""
    return max(0, math.floor(math.log2(reduction)))


def _reduce_pixels(pixels: UInt8, factor: int) -> Image.Image:
    """Reduce a picture (h, w, 3) to 1/`factor`.

    Upright pixels may be a turned view of the stored ones. They are reduced as stored and turned
    afterwards, which moves fewer bytes.
    """
    rows, columns = (-1 if stride < 0 else 1 for stride in pixels.strides[:2])
    odd = pixels.shape[0] % factor or pixels.shape[1] % factor
    if odd and -1 in (rows, columns):  # the partial row or column must come last
        return Image.fromarray(pixels).reduce(factor)
    as_stored = pixels[::rows, ::columns]
    swapped = as_stored.strides[0] < as_stored.strides[1]
    if swapped:
        as_stored = as_stored.swapaxes(0, 1)
    small = _reduce_stored(as_stored, factor)
    if not swapped and (rows, columns) == (1, 1):
        return small
    turned = np.asarray(small)
    turned = turned.swapaxes(0, 1) if swapped else turned
    return Image.fromarray(turned[::rows, ::columns, :3])


def _reduce_stored(pixels: UInt8, factor: int) -> Image.Image:
    """Reduce a picture (h, w, 3) to 1/`factor`. At 1/4, only every second row is averaged.

    That saves 2 ms for a photo of 12 megapixels, and costs no face (tests/benchmarks/detection.py).
    """
    height, width, _ = pixels.shape
    if factor != 4 or height % 4:
        return to_pillow_image(pixels).reduce(factor)
    # Two rows become one of twice the width, without copying; the left half is every second row.
    row_pairs = to_pillow_image(pixels.reshape(height // 2, 2 * width, 3))
    return row_pairs.reduce((4, 2), box=(0, 0, width, height // 2))
