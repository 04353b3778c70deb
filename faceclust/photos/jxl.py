"""JPEG XL, by imagecodecs, which the extra `jxl` brings."""

from __future__ import annotations

import numpy as np
from PIL import Image

from faceclust.photos.colour import convert_to_rgb, to_eight_bits
from faceclust.photos.decoders import DecodedImage
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.limits import check_picture_size
from faceclust.photos.optional import load_extra
from faceclust.types import SkipReason

_ASPECT_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_MAX_BOXES = 64


def decode_jxl(data: bytes, min_long_side: int | None) -> DecodedImage:
    """A JPEG XL file; its decoder turns it upright. A huge one is reduced to no less than
    `at_least` pixels along the longer side. Raises UndecodableError, or what the decoder raises."""
    imagecodecs = load_extra(SkipReason.NEEDS_JXL)
    check_picture_size(*_read_declared_size(data), Format.JXL)
    pixels = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    if pixels.dtype.kind == "f":
        pixels = (np.clip(np.nan_to_num(pixels), 0, 1) * 255).round().astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = to_eight_bits(pixels)
    image = Image.fromarray(np.squeeze(pixels))
    return DecodedImage(np.asarray(convert_to_rgb(image, min_long_side)), image.size, 1, (data,))


def read_jxl_orientation(data: bytes) -> int:
    """The orientation (as EXIF counts them) by which the decoder turns the picture (ISO/IEC 18181-1,
    section D.2). `data`: the file's beginning. Raises UndecodableError."""
    bits = _BitReader(_find_codestream(data)[2:40])
    _read_size_header(bits)
    all_default = bits.read(1)
    extra_fields = 0 if all_default else bits.read(1)
    return 1 + bits.read(3) if extra_fields else 1


def _read_declared_size(data: bytes) -> tuple[int, int]:
    """Width and height as the file's header has them. Raises UndecodableError."""
    return _read_size_header(_BitReader(_find_codestream(data)[2:40]))


def _read_size_header(bits: _BitReader) -> tuple[int, int]:
    small = bits.read(1)
    height = bits.read_side(small)
    ratio = bits.read(3)
    if ratio:
        across, down = _ASPECT_RATIOS[ratio - 1]
        return height * across // down, height
    return bits.read_side(small), height


class _BitReader:
    """Numbers from bytes, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._remaining = int.from_bytes(data, "little")

    def read(self, count: int) -> int:
        value = self._remaining & ((1 << count) - 1)
        self._remaining >>= count
        return value

    def read_side(self, small: int) -> int:
        if small:
            return 8 * (self.read(5) + 1)
        return 1 + self.read((9, 13, 18, 30)[self.read(2)])


def _find_codestream(data: bytes) -> bytes:
    """The beginning of the picture itself, out of its container where it has one."""
    if data.startswith(b"\xff\x0a"):
        return data[:64]
    at = 0
    for _ in range(_MAX_BOXES):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + (16 if size == 1 else 8)
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            return data[start : start + 64]
        at += int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
        if size == 0 or at >= len(data):
            break
    raise UndecodableError(SkipReason.TRUNCATED, "a JPEG XL file without a picture")
