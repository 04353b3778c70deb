"""RAW files, decoded by rawpy (the extra `raw`).

The picture is the embedded preview, or the sensor data developed by LibRaw.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceclust.photos.decoders import DecodedImage, decode_picture
from faceclust.photos.errors import UndecodableError
from faceclust.photos.exif_orientation import apply_orientation, upright_size
from faceclust.photos.formats import Format
from faceclust.photos.limits import check_picture_size
from faceclust.photos.optional import load_extra
from faceclust.types import SkipReason, UInt8

#: A preview whose aspect ratio differs by more is cropped, so that faces would be misplaced.
_ASPECT_TOLERANCE = 0.02
#: LibRaw's `flip` values as EXIF orientations.
_LIBRAW_ORIENTATIONS = {3: 3, 5: 8, 6: 6}
_CR3_HEADER_BYTES = 65_536  # the metadata of a CR3 file begins within these


def decode_raw(data: bytes, min_long_side: int | None) -> DecodedImage:
    """Decode a RAW file to upright pixels.

    The embedded preview is used if it has `min_long_side` pixels along the longer side. Otherwise
    the sensor data is developed at half size, if that is larger. Raises UndecodableError, or an
    exception of LibRaw.
    """
    rawpy = load_extra(SkipReason.NEEDS_RAW)
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            check_picture_size(sizes.raw_width, sizes.raw_height)
            check_picture_size(sizes.width, sizes.height)
            orientation = _LIBRAW_ORIENTATIONS.get(sizes.flip, 1)
            size = upright_size((sizes.width, sizes.height), orientation)
            preview, exif = _extract_preview(raw, size, orientation, min_long_side)
            wanted = min(min_long_side or max(size), max(size))
            enough = preview is not None and max(preview.shape) >= wanted
            pixels = preview if preview is not None and enough else _postprocess_or_preview(preview, raw, size)
    except rawpy.LibRawFileUnsupportedError:
        raise UndecodableError(SkipReason.NOT_A_PHOTO, "it is not a RAW file that LibRaw supports") from None
    return DecodedImage(pixels, size, 1, (data, _find_cr3_tags(data), exif), applied=orientation)


def read_raw_orientation(path: Path) -> int:
    """Return the EXIF orientation that LibRaw applies to a RAW file.

    Raises UndecodableError, or an exception of LibRaw.
    """
    with load_extra(SkipReason.NEEDS_RAW).imread(str(path)) as raw:
        return _LIBRAW_ORIENTATIONS.get(raw.sizes.flip, 1)


def _postprocess_or_preview(preview: UInt8 | None, raw: Any, size: tuple[int, int]) -> UInt8:
    """Return the sensor data developed at half size, or the preview if it is larger or the only picture."""
    if preview is not None and max(preview.shape) * 2 >= max(size):
        return preview
    try:
        return np.asarray(raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8), dtype=np.uint8)
    except Exception:
        if preview is None:
            raise
        return preview


def _extract_preview(
    raw: Any, size: tuple[int, int], libraw_orientation: int, min_long_side: int | None
) -> tuple[UInt8 | None, bytes | None]:
    """Return the embedded preview, upright and in the photo's aspect ratio, and its EXIF block.

    Either is None if it is missing or damaged.
    """
    try:
        found = raw.extract_thumb()
        if isinstance(found.data, bytes):
            stored = decode_picture(found.data, Format.JPEG, min_long_side)
            pixels, orientation, exif = stored.pixels, stored.orientation, stored.metadata_sources[0]
        else:
            pixels, orientation, exif = np.asarray(Image.fromarray(found.data).convert("RGB")), libraw_orientation, None
    except Exception:
        return None, None
    # Some cameras store an upright preview, some give it an EXIF orientation of its own, most rely
    # on that of the RAW file. The right one results in the photo's aspect ratio.
    for candidate in (orientation, libraw_orientation, 1):
        upright = apply_orientation(pixels, candidate)
        if abs(upright.shape[1] * size[1] / (upright.shape[0] * size[0]) - 1) <= _ASPECT_TOLERANCE:
            return upright, exif
    return None, exif


def _find_cr3_tags(data: bytes) -> bytes | None:
    """Return the block of a Canon CR3 file with the camera and the date, a TIFF of its own."""
    at = data.find(b"CMT1", 0, _CR3_HEADER_BYTES)
    return data[at + 4 : at + 4 + _CR3_HEADER_BYTES] if at > 0 else None
