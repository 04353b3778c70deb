"""JPEG pixels by libjpeg-turbo, straight into an array: half the time that Pillow takes."""

from __future__ import annotations

import numpy as np
import simplejpeg

from faceclust.types import UInt8

_REDUCTIONS = (8, 4, 2)


def jpeg_pixels(data: bytes, size: tuple[int, int], at_least: int | None) -> UInt8 | None:
    """The RGB pixels (h, w, 3) of a grey or RGB JPEG of `size` (width, height), decoded at 1/2,
    1/4 or 1/8 of it (DCT scaling) where that leaves `at_least` pixels along the longer side.

    None for a file with anything odd about it, which another decoder may still make sense of.
    """
    longer = max(size)
    reduction = next((by for by in _REDUCTIONS if at_least and -(-longer // by) >= at_least), 1)
    width, height = (-(-side // reduction) for side in size)
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width)
    except ValueError:
        return None
    fits = pixels.shape == (height, width, 3)
    return np.asarray(pixels, dtype=np.uint8) if fits else None
