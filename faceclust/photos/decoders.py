"""A picture as its file holds it: not yet turned upright."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from faceclust.photos.colour import convert_to_rgb, needs_colour_transform
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.limits import MAX_PIXELS, check_picture_size, reject_decompression_bombs
from faceclust.photos.turbojpeg import decode_with_turbojpeg
from faceclust.types import SkipReason, UInt8

pi_heif.register_heif_opener(thumbnails=False)
# Pillow warns above this and refuses twice as much, where a file declares it late as well.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
# Programs that make pictures write megabytes of text into a PNG; it is passed over.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_ORIENTATION_TAG = 0x0112
#: EXIF orientations: whether the stored rows are the upright picture's columns, then the steps
#: along its rows and columns.
_ORIENTATION_STEPS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


@dataclass(frozen=True)
class DecodedImage:
    """RGB pixels (h, w, 3), perhaps reduced, of a picture that is `read_dimensions` (width, height) in full;
    the EXIF `orientation` it is still to be turned by; where its metadata may be read, best first."""

    pixels: UInt8
    size: tuple[int, int]
    orientation: int
    metadata_sources: tuple[bytes | None, ...]


def apply_orientation(pixels: UInt8, orientation: int) -> UInt8:
    """The pixels turned by an EXIF orientation, without moving any; one out of 1..8 turns nothing."""
    swapped, down, across = _ORIENTATION_STEPS.get(orientation, (False, 1, 1))
    return (pixels.swapaxes(0, 1) if swapped else pixels)[::down, ::across]


def decode_jpeg(data: bytes, min_long_side: int | None) -> DecodedImage:
    """A JPEG, decoded at 1/2, 1/4 or 1/8 of its size where that leaves `at_least` pixels along the
    longer side. Raises UndecodableError, or what the decoder raises."""
    return decode_picture(data, Format.JPEG, min_long_side)


def decode_picture(data: bytes, format: Format, min_long_side: int | None) -> DecodedImage:
    """A picture of any format that Pillow decodes; only of a JPEG, or where it is huge, fewer
    pixels than it has. Raises UndecodableError, or what the decoder raises."""
    reject_decompression_bombs(data, format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
        image = _open_image(data, format)
        size = image.size
        check_picture_size(*size, format)
        _reject_large_tiles(image)
        exif = image.info.get("exif")
        pixels = _decode_jpeg_fast(data, image, min_long_side) if format is Format.JPEG else None
        if pixels is None:
            if min_long_side:
                _request_reduced_size(image, min_long_side)
            image.load()
            pixels = np.asarray(convert_to_rgb(image, min_long_side))
        orientation = _exif_orientation(image)
    # A TIFF turns itself while it is loaded: the loaded picture's shape tells.
    if size[0] != size[1] and image.size == size[::-1]:
        size = size[::-1]
    # Of a TIFF, Pillow gives no EXIF block: the file is one.
    return DecodedImage(pixels, size, orientation, (exif if isinstance(exif, bytes) else None, data))


def read_orientation_and_size(file: BinaryIO, format: Format) -> tuple[int, tuple[int, int]]:
    """The EXIF orientation of a picture that Pillow decodes, and its upright width and height; of
    most formats no more than the beginning is read. Raises what Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
        with Image.open(file, formats=_pillow_formats(format)) as image:
            orientation = _exif_orientation(image)
            tags = getattr(image, "tag_v2", {})
            width, height = (int(tags.get(tag, side)) for tag, side in zip((256, 257), image.size, strict=True))
    return orientation, (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def _decode_jpeg_fast(data: bytes, image: Image.Image, min_long_side: int | None) -> UInt8 | None:
    """The pixels of a JPEG that Pillow has opened and not loaded; None for one it has to load."""
    if image.mode not in ("RGB", "L"):
        return None
    pixels = decode_with_turbojpeg(data, image.size, min_long_side)
    if pixels is None or not needs_colour_transform(image):
        return pixels
    picture = Image.fromarray(pixels)
    picture.info = image.info
    return np.asarray(convert_to_rgb(picture, min_long_side))


def _open_image(data: bytes, format: Format) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_pillow_formats(format))
    except UnidentifiedImageError:
        raise UndecodableError(SkipReason.TRUNCATED, f"a broken {format.value} file") from None
    except Image.DecompressionBombError:
        raise UndecodableError(SkipReason.TOO_LARGE, f"more pixels than the limit of {MAX_PIXELS:,}") from None


def _pillow_formats(format: Format) -> list[str]:
    return ["BMP", "DIB"] if format is Format.BMP else [format.value]


def _reject_large_tiles(image: Image.Image) -> None:
    """A TIFF's decoder makes room for a whole tile or strip, however large it is said to be."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and {322, 323} <= tags.keys():
        width, height = (int(tags[tag]) for tag in (322, 323))
        if width * height > MAX_PIXELS:
            raise UndecodableError(SkipReason.TOO_LARGE, f"tiles of {width}×{height} pixels")


def _request_reduced_size(image: Image.Image, min_long_side: int) -> None:
    scale = min_long_side / max(image.size)
    if scale < 1:
        image.draft(None, (math.ceil(image.size[0] * scale), math.ceil(image.size[1] * scale)))


def _exif_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF: the photo itself may be fine
        return 1
