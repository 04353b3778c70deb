"""A picture in every size that a detector asks for."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from faceclust.types import Float32, UInt8

_FILL_VALUE = 127  # grey beyond the picture's edge, about zero after normalisation


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
        size = math.ceil(self.size[0] * scale), math.ceil(self.size[1] * scale)
        halvings = _count_halvings(1 / scale)
        copy = self._halved_copy(halvings)
        if copy.size == size:
            return _to_rgb_array(copy)
        reduction = 0.5**halvings
        # The last row and column of a copy may be partial: take only what the picture covers.
        covered = (0.0, 0.0, self.size[0] * reduction, self.size[1] * reduction)
        return _to_rgb_array(copy.resize(size, Image.Resampling.BILINEAR, box=covered))

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
            source = Image.fromarray(self._pixels[j : math.ceil(y1), i : math.ceil(x1)])
            x0, y0, x1, y1 = x0 - i, y0 - j, x1 - i, y1 - j
        part = source.resize((columns, rows), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        crop[row : row + rows, column : column + columns] = _to_rgb_array(part)

    def _halved_copy(self, halvings: int) -> Image.Image:
        if halvings not in self._halved_copies:
            if halvings - 1 in self._halved_copies or halvings > 2:
                self._halved_copies[halvings] = self._halved_copy(halvings - 1).reduce(2)
            else:
                self._halved_copies[halvings] = _reduce_pixels(self._pixels, 2**halvings)
        return self._halved_copies[halvings]


def _count_halvings(reduction: float) -> int:
    """Return how often a picture can be halved before it is smaller than 1/`reduction`."""
    return max(0, math.floor(math.log2(reduction)))


def _to_rgb_array(image: Image.Image) -> UInt8:
    return np.asarray(image)[:, :, :3]


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
    small = _to_pillow_image(as_stored).reduce(factor)
    if not swapped and (rows, columns) == (1, 1):
        return small
    turned = np.asarray(small)
    turned = turned.swapaxes(0, 1) if swapped else turned
    return Image.fromarray(turned[::rows, ::columns, :3])


def _to_pillow_image(pixels: UInt8) -> Image.Image:
    """Convert pixels (h, w, 3) to a Pillow image, without copying if each has four bytes in memory."""
    height, width, _ = pixels.shape
    if pixels.strides != (4 * width, 4, 1):
        return Image.fromarray(pixels)
    four_bytes = np.lib.stride_tricks.as_strided(pixels, (height, width, 4), writeable=False)
    return Image.frombuffer("RGBX", (width, height), four_bytes, "raw", "RGBX", 0, 1)
