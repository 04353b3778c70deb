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

from faceclust.photos.colour import has_profile, to_rgb
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.limits import MAX_PIXELS, require_decent, require_size
from faceclust.photos.turbojpeg import jpeg_pixels
from faceclust.types import SkipReason, UInt8

pi_heif.register_heif_opener(thumbnails=False)
# Pillow warns above this and refuses twice as much, where a file declares it late as well.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
# Programs that make pictures write megabytes of text into a PNG; it is passed over.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_ORIENTATION_TAG = 0x0112
#: EXIF orientations: whether the stored rows are the upright picture's columns, then the steps
#: along its rows and columns.
_UPRIGHT = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


@dataclass(frozen=True)
class Stored:
    """RGB pixels (h, w, 3), perhaps reduced, of a picture that is `size` (width, height) in full;
    the EXIF `orientation` it is still to be turned by; where its metadata may be read, best first."""

    pixels: UInt8
    size: tuple[int, int]
    orientation: int
    metadata: tuple[bytes | None, ...]


def turn_upright(pixels: UInt8, orientation: int) -> UInt8:
    """The pixels turned by an EXIF orientation, without moving any; one out of 1..8 turns nothing."""
    swapped, down, across = _UPRIGHT.get(orientation, (False, 1, 1))
    return (pixels.swapaxes(0, 1) if swapped else pixels)[::down, ::across]


def read_jpeg(data: bytes, at_least: int | None) -> Stored:
    """A JPEG, decoded at 1/2, 1/4 or 1/8 of its size where that leaves `at_least` pixels along the
    longer side. Raises UndecodableError, or what the decoder raises."""
    return read_picture(data, Format.JPEG, at_least)


def read_picture(data: bytes, format: Format, at_least: int | None) -> Stored:
    """A picture of any format that Pillow decodes; only of a JPEG, or where it is huge, fewer
    pixels than it has. Raises UndecodableError, or what the decoder raises."""
    require_decent(data, format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
        image = _open(data, format)
        size = image.size
        require_size(*size, format)
        _require_small_tiles(image)
        exif = image.info.get("exif")
        pixels = _by_turbo(data, image, at_least) if format is Format.JPEG else None
        if pixels is None:
            if at_least:
                _draft(image, at_least)
            image.load()
            pixels = np.asarray(to_rgb(image, at_least))
        orientation = _orientation(image)
    # A TIFF turns itself while it is loaded: the loaded picture's shape tells.
    if size[0] != size[1] and image.size == size[::-1]:
        size = size[::-1]
    # Of a TIFF, Pillow gives no EXIF block: the file is one.
    return Stored(pixels, size, orientation, (exif if isinstance(exif, bytes) else None, data))


def opened_picture(file: BinaryIO, format: Format) -> tuple[int, tuple[int, int]]:
    """The EXIF orientation of a picture that Pillow decodes, and its upright width and height; of
    most formats no more than the beginning is read. Raises what Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
        with Image.open(file, formats=_pillow_names(format)) as image:
            orientation = _orientation(image)
            tags = getattr(image, "tag_v2", {})
            width, height = (int(tags.get(tag, side)) for tag, side in zip((256, 257), image.size, strict=True))
    return orientation, (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def _by_turbo(data: bytes, image: Image.Image, at_least: int | None) -> UInt8 | None:
    """The pixels of a JPEG that Pillow has opened and not loaded; None for one it has to load."""
    if image.mode not in ("RGB", "L"):
        return None
    pixels = jpeg_pixels(data, image.size, at_least)
    if pixels is None or not has_profile(image):
        return pixels
    picture = Image.fromarray(pixels)
    picture.info = image.info
    return np.asarray(to_rgb(picture, at_least))


def _open(data: bytes, format: Format) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_pillow_names(format))
    except UnidentifiedImageError:
        raise UndecodableError(SkipReason.TRUNCATED, f"a broken {format.value} file") from None
    except Image.DecompressionBombError:
        raise UndecodableError(SkipReason.TOO_LARGE, f"more pixels than the limit of {MAX_PIXELS:,}") from None


def _pillow_names(format: Format) -> list[str]:
    return ["BMP", "DIB"] if format is Format.BMP else [format.value]


def _require_small_tiles(image: Image.Image) -> None:
    """A TIFF's decoder makes room for a whole tile or strip, however large it is said to be."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and {322, 323} <= tags.keys():
        width, height = (int(tags[tag]) for tag in (322, 323))
        if width * height > MAX_PIXELS:
            raise UndecodableError(SkipReason.TOO_LARGE, f"tiles of {width}×{height} pixels")


def _draft(image: Image.Image, at_least: int) -> None:
    scale = at_least / max(image.size)
    if scale < 1:
        image.draft(None, (math.ceil(image.size[0] * scale), math.ceil(image.size[1] * scale)))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF: the photo itself may be fine
        return 1
