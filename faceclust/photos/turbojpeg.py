"""JPEG pixels by libjpeg-turbo, straight into an array: half the time that Pillow takes."""

from __future__ import annotations

import numpy as np
import simplejpeg

from faceclust.types import UInt8

_REDUCTIONS = (8, 4, 2)
#: Up to so many pixels a photo is decoded in full, whatever is asked for. Most of the time goes into
#: Huffman's code, which has to be read for a reduced copy as well: of 12 megapixels half the size
#: saves a fifth of the time, and costs all of it again where a small face needs more.
_MAX_FULL_DECODE_PIXELS = 25_000_000


def decode_with_turbojpeg(data: bytes, size: tuple[int, int], min_long_side: int | None) -> UInt8 | None:
    """The RGB pixels (h, w, 3) of a grey or RGB JPEG of `read_dimensions` (width, height). A large one is
    decoded at 1/2, 1/4 or 1/8 of it (DCT scaling) where that leaves `at_least` pixels along the
    longer side. In memory each pixel has four bytes, as Pillow's have.

    None for a file with anything odd about it, which another decoder may still make sense of.
    """
    longer = max(size)
    min_long_side = min_long_side if size[0] * size[1] > _MAX_FULL_DECODE_PIXELS else None
    reduction = next((by for by in _REDUCTIONS if min_long_side and -(-longer // by) >= min_long_side), 1)
    width, height = (-(-side // reduction) for side in size)
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGBX", min_height=height, min_width=width)
    except ValueError:
        return None
    return np.asarray(pixels, np.uint8)[:, :, :3] if pixels.shape == (height, width, 4) else None
