"""Decode file bytes of any supported format to upright RGB pixels."""

from __future__ import annotations

from faceclust.photos.decoders import DecodedImage, decode_picture
from faceclust.photos.errors import UndecodableError
from faceclust.photos.exif_orientation import apply_orientation, upright_size
from faceclust.photos.face_ids import content_hash
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.jxl import decode_jxl
from faceclust.photos.metadata import read_metadata
from faceclust.photos.raw import decode_raw
from faceclust.types import Photo, PhotoRef, SkipReason


def decode_photo(data: bytes, ref: PhotoRef, min_long_side: int | None = None) -> Photo:
    """Decode a photo file's bytes.

    `min_long_side`: pixels needed along the longer side. It allows smaller results: a JPEG at 1/2,
    1/4 or 1/8 of its size (DCT scaling), a reduced huge picture, or a RAW file's preview. The
    result has at least that many pixels, if the photo does. None: full size (half size for RAW
    files). Raises UndecodableError.
    """
    format = detect_format(data[:HEAD_BYTES])
    try:
        stored = _decode_by_format(data, format, min_long_side)
    except UndecodableError:
        raise
    except MemoryError:
        raise UndecodableError(SkipReason.OUT_OF_MEMORY, "decoding needs more memory than there is") from None
    except Exception as error:  # decoders raise exceptions of any type; one photo must not stop the scan
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error
    return Photo(
        ref=ref,
        content_hash=content_hash(data),
        pixels=apply_orientation(stored.pixels, stored.orientation),
        full_size=upright_size(stored.size, stored.orientation),
        metadata=read_metadata(*stored.metadata_sources),
    )


def _decode_by_format(data: bytes, format: Format, min_long_side: int | None) -> DecodedImage:
    if format is Format.JXL:
        return decode_jxl(data, min_long_side)
    if format is Format.RAW or (format is Format.TIFF and is_raw_tiff(data)):
        return decode_raw(data, min_long_side)
    return decode_picture(data, format, min_long_side)
