"""File bytes to upright RGB pixels, whatever the format, mode and orientation."""

from __future__ import annotations

import hashlib

from faceclust.photos.decoders import DecodedImage, apply_orientation, decode_jpeg, decode_picture
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.jxl import decode_jxl
from faceclust.photos.metadata import read_metadata
from faceclust.photos.raw import decode_raw
from faceclust.photos.reading import MAX_BYTES
from faceclust.types import Photo, PhotoRef, SkipReason

__all__ = ["MAX_BYTES", "UndecodableError", "decode_photo"]


def decode_photo(data: bytes, ref: PhotoRef, min_long_side: int | None = None) -> Photo:
    """Decode a photo file's bytes.

    `at_least`: pixels wanted along the longer side; a JPEG may then be decoded at 1/2, 1/4
    or 1/8 of its size (DCT scaling), a huge picture reduced, a RAW file's preview taken, never
    below what is asked, or what there is. None: full size (of a RAW file: half of it).
    Raises UndecodableError.
    """
    format = detect_format(data[:HEAD_BYTES])
    try:
        stored = _decode_by_format(data, format, min_long_side)
    except UndecodableError:
        raise
    except MemoryError:
        raise UndecodableError(SkipReason.OUT_OF_MEMORY, "it could not be decoded") from None
    except Exception as error:  # decoders fail in their own ways; one photo must not stop the rest
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error
    return Photo(
        ref=ref,
        content_hash=hashlib.blake2b(data, digest_size=16).hexdigest(),
        pixels=apply_orientation(stored.pixels, stored.orientation),
        full_size=stored.size[::-1] if stored.orientation in (5, 6, 7, 8) else stored.size,
        metadata=read_metadata(*stored.metadata_sources),
    )


def _decode_by_format(data: bytes, format: Format, min_long_side: int | None) -> DecodedImage:
    if format is Format.JPEG:
        return decode_jpeg(data, min_long_side)
    if format is Format.JXL:
        return decode_jxl(data, min_long_side)
    if format is Format.RAW or (format is Format.TIFF and is_raw_tiff(data)):
        return decode_raw(data, min_long_side)
    return decode_picture(data, format, min_long_side)
