"""RAW files: the preview the camera put in, or what LibRaw makes of the sensor's values.

By rawpy, which the extra `raw` brings.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceclust.photos.decoders import DecodedImage, apply_orientation, decode_jpeg
from faceclust.photos.errors import UndecodableError
from faceclust.photos.limits import check_picture_size
from faceclust.photos.optional import load_extra
from faceclust.types import SkipReason, UInt8

#: A preview whose sides' ratio differs by more is cut otherwise than the photo: a face would have
#: another place in it.
_ASPECT_TOLERANCE = 0.02
#: LibRaw's numbers for how a photo is to be turned, as EXIF orientations.
_LIBRAW_ORIENTATIONS = {3: 3, 5: 8, 6: 6}
_CR3_HEADER_BYTES = 65_536  # bytes its metadata begin within


def decode_raw(data: bytes, min_long_side: int | None) -> DecodedImage:
    """A RAW file, upright: its preview where that has `at_least` pixels along the longer side,
    else its sensor's values at half size where that is more. Raises UndecodableError, or what
    LibRaw raises."""
    rawpy = load_extra(SkipReason.NEEDS_RAW)
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            check_picture_size(sizes.raw_width, sizes.raw_height)
            check_picture_size(sizes.width, sizes.height)
            turned = _LIBRAW_ORIENTATIONS.get(sizes.flip, 1)
            size = (sizes.height, sizes.width) if turned in (6, 8) else (sizes.width, sizes.height)
            preview, exif = _extract_preview(raw, size, turned, min_long_side)
            wanted = min(min_long_side or max(size), max(size))
            enough = preview is not None and max(preview.shape) >= wanted
            pixels = preview if preview is not None and enough else _postprocess_or_preview(preview, raw, size)
    except rawpy.LibRawFileUnsupportedError:
        raise UndecodableError(SkipReason.NOT_A_PHOTO, "no RAW file that LibRaw knows") from None
    return DecodedImage(pixels, size, 1, (data, _find_cr3_tags(data), exif))


def read_raw_orientation(path: Path) -> int:
    """The EXIF orientation that LibRaw turns a RAW file by. Raises UndecodableError, or what LibRaw
    raises."""
    with load_extra(SkipReason.NEEDS_RAW).imread(str(path)) as raw:
        return _LIBRAW_ORIENTATIONS.get(raw.sizes.flip, 1)


def _postprocess_or_preview(preview: UInt8 | None, raw: Any, size: tuple[int, int]) -> UInt8:
    """The sensor's picture at half size, or the preview where that is larger or all there is."""
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
    """The embedded preview, upright and of the photo's shape, and its EXIF block; None for what
    there is not. One that is broken is none."""
    try:
        found = raw.extract_thumb()
        if isinstance(found.data, bytes):
            stored = decode_jpeg(found.data, min_long_side)
            pixels, orientation, exif = stored.pixels, stored.orientation, stored.metadata_sources[0]
        else:
            pixels, orientation, exif = np.asarray(Image.fromarray(found.data).convert("RGB")), libraw_orientation, None
    except Exception:
        return None, None
    # Some cameras turn the preview itself, some say in it how to turn it, most leave that to the
    # photo's own tag: what comes out in the photo's shape is right.
    for way in (orientation, libraw_orientation, 1):
        upright = apply_orientation(pixels, way)
        if abs(upright.shape[1] * size[1] / (upright.shape[0] * size[0]) - 1) <= _ASPECT_TOLERANCE:
            return upright, exif
    return None, exif


def _find_cr3_tags(data: bytes) -> bytes | None:
    """The block of a Canon CR3 file that names the camera and the date: a TIFF of its own."""
    at = data.find(b"CMT1", 0, _CR3_HEADER_BYTES)
    return data[at + 4 : at + 4 + _CR3_HEADER_BYTES] if at > 0 else None
