"""JPEG decoding by libjpeg-turbo straight into an array, in half of Pillow's time."""

from __future__ import annotations

import threading

import numpy as np
import simplejpeg

from faceclust.types import UInt8

_REDUCTIONS = (8, 4, 2)
_END_MARKER = b"\xff\xd9"
#: Photos with up to this many pixels are always decoded in full. Huffman decoding takes most of the
#: time, and a reduced copy needs it too: half the size of 12 megapixels saves only a fifth of the
#: time, and all of it is spent again if a small face needs the full resolution.
_MAX_FULL_DECODE_PIXELS = 25_000_000


class PixelBuffer(threading.local):
    """Memory for the pixels of one photo at a time; each thread has its own.

    It is used again for the next photo, whose pixels overwrite those before. New memory for each photo
    would cost 3 ms per 12 megapixels, in page faults.
    """

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def reserve(self, size: int) -> UInt8:
        """Return memory of `size` bytes."""
        if size > 4 * _MAX_FULL_DECODE_PIXELS:  # rare, and too much to keep
            return np.empty(size, np.uint8)
        if size > len(self._memory):
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size]


def decode_with_turbojpeg(
    data: bytes, size: tuple[int, int], min_long_side: int | None, buffer: PixelBuffer | None = None
) -> UInt8 | None:
    """Return the RGB pixels (h, w, 3) of a grey or RGB JPEG of `size` (width, height).

    A large picture is decoded at 1/2, 1/4 or 1/8 of its size (DCT scaling) if that leaves
    `min_long_side` pixels along the longer side. Each pixel takes four bytes in memory, as in
    Pillow. With `buffer`, the pixels are in its memory.

    None for a file with any irregularity, which another decoder may still accept.
    """
    longer = max(size)
    min_long_side = min_long_side if size[0] * size[1] > _MAX_FULL_DECODE_PIXELS else None
    reduction = next((by for by in _REDUCTIONS if min_long_side and -(-longer // by) >= min_long_side), 1)
    width, height = (-(-side // reduction) for side in size)
    memory = (buffer or PixelBuffer()).reserve(4 * width * height)
    try:
        # Fast upsampling of the colours takes 2 ms less and moves embeddings by no more than the full one.
        pixels = simplejpeg.decode_jpeg(
            data, "RGBX", fastupsample=True, min_height=height, min_width=width, buffer=memory
        )
    except ValueError:
        return None
    return memory.reshape(height, width, 4)[:, :, :3] if pixels.shape == (height, width, 4) else None


def add_end_marker(data: bytes) -> bytes | None:
    """Return a JPEG with the end marker that it lacks; None if more than the marker is missing.

    The marker may be missing in full or in half, and zeros may be in its place. Decoding tells whether
    the picture is complete: libjpeg-turbo warns if the marker comes too early.
    """
    picture = data.rstrip(b"\0")
    halves = [picture[:-1], picture + b"\0"] if picture.endswith(b"\xff") else [picture]  # FF, or FF 00 for a byte FF
    return next(filter(_is_complete, (half + _END_MARKER for half in halves)), None)


def _is_complete(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, min_factor=8)
    except ValueError:
        return False
    return True
