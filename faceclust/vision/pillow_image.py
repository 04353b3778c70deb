"""Pixel arrays as Pillow images, with as little copying as possible."""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray
from PIL import Image

from faceclust.types import UInt8


def to_pillow_image(pixels: UInt8) -> Image.Image:
    """Convert pixels (h, w, 3) to an image: of mode RGBX if each pixel has four bytes in memory, else RGB.

    Pillow's own pixels have four bytes, too. A whole picture is then not copied at all, and a part of
    one, turned or not, in half of the time that copying three bytes of each four takes.
    """
    whole = _whole_pixels(pixels)
    if whole is None:
        return Image.fromarray(pixels)
    return Image.frombuffer("RGBX", whole.shape[::-1], np.ascontiguousarray(whole), "raw", "RGBX", 0, 1)


def to_rgb_array(image: Image.Image) -> UInt8:
    """Return the pixels (h, w, 3) of an image of mode RGB or RGBX."""
    return np.asarray(image)[:, :, :3]


def _whole_pixels(pixels: UInt8) -> NDArray[np.uint32] | None:
    """Return pixels (h, w, 3) as integers (h, w), None unless each has a fourth byte in memory."""
    owner = pixels.base
    if 4 not in map(abs, pixels.strides[:2]) or pixels.strides[2] != 1 or not pixels.size:
        return None
    if not isinstance(owner, np.ndarray) or byte_bounds(pixels)[1] >= byte_bounds(owner)[1]:
        return None  # the fourth byte of the last pixel may be outside
    first = np.lib.stride_tricks.as_strided(pixels[:1, :1], (1, 1, 4), writeable=False).view(np.uint32)
    return np.lib.stride_tricks.as_strided(first, pixels.shape[:2], pixels.strides[:2], writeable=False)
