"""JPEG XL, decoded by imagecodecs (the extra `jxl`)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from faceclust.photos.colour import convert_to_rgb, to_eight_bits
from faceclust.photos.decoders import DecodedImage
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.iso_boxes import bytes_reader, iter_boxes
from faceclust.photos.limits import check_picture_size
from faceclust.photos.optional import load_extra
from faceclust.types import SkipReason

_ASPECT_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_MAX_BOXES = 64
_HEADER_BYTES = 64  # more than the headers read here take
_CODESTREAM_SIGNATURE = b"\xff\x0a"


def decode_jxl(data: bytes, min_long_side: int | None) -> DecodedImage:
    """Decode a JPEG XL file; the decoder turns it upright.

    A huge picture is reduced to no less than `min_long_side` pixels along the longer side. Raises
    UndecodableError, or an exception of the decoder.
    """
    imagecodecs = load_extra(SkipReason.NEEDS_JXL)
    check_picture_size(*_read_size_header(_read_header_bits(data)), Format.JXL)
    pixels = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    if pixels.dtype.kind == "f":
        pixels = (np.clip(np.nan_to_num(pixels), 0, 1) * 255).round().astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = to_eight_bits(pixels)
    image = Image.fromarray(np.squeeze(pixels))
    return DecodedImage(
        np.asarray(convert_to_rgb(image, min_long_side)), image.size, 1, (), applied=read_jxl_orientation(data)
    )


def read_jxl_orientation(data: bytes) -> int:
    """Return the EXIF orientation that the decoder applies (ISO/IEC 18181-1, section D.2).

    `data` is the beginning of the file. Raises UndecodableError.
    """
    bits = _read_header_bits(data)
    _read_size_header(bits)
    all_default = bits.read(1)
    extra_fields = 0 if all_default else bits.read(1)
    return 1 + bits.read(3) if extra_fields else 1


def _read_size_header(bits: _BitReader) -> tuple[int, int]:
    """Return width and height."""
    small = bits.read(1)
    height = bits.read_side(small)
    ratio = bits.read(3)
    if ratio:
        across, down = _ASPECT_RATIOS[ratio - 1]
        return height * across // down, height
    return bits.read_side(small), height


class _BitReader:
    """Reads integers from bytes, lowest bit first."""

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


def _read_header_bits(data: bytes) -> _BitReader:
    """Return the bits after the codestream's signature. Raises UndecodableError."""
    return _BitReader(_find_codestream(data)[len(_CODESTREAM_SIGNATURE) : 40])


def _find_codestream(data: bytes) -> bytes:
    """Return the beginning of the codestream, which may be inside a container."""
    if data.startswith(_CODESTREAM_SIGNATURE):
        return data[:_HEADER_BYTES]
    for kind, start, _ in iter_boxes(bytes_reader(data), 0, len(data), _MAX_BOXES):
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # a partial codestream begins with its index
            return data[start : start + _HEADER_BYTES]
    raise UndecodableError(SkipReason.TRUNCATED, "the JPEG XL file has no codestream")
