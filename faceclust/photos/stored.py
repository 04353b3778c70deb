"""A picture as its file holds it, by Pillow: not yet turned upright."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass

import pi_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from faceclust.photos.colour import to_rgb
from faceclust.photos.failure import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.limits import MAX_PIXELS, require_decent, require_size
from faceclust.types import SkipReason

pi_heif.register_heif_opener(thumbnails=False)
# Pillow warns above this and refuses twice as much, where a file declares it late as well.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
# Programs that make pictures write megabytes of text into a PNG; it is passed over.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Stored:
    """RGB pixels, perhaps reduced, of a picture that is `size` (width, height) in full; the EXIF
    `orientation` it is still to be turned by; where its metadata may be read, best first."""

    picture: Image.Image
    size: tuple[int, int]
    orientation: int
    metadata: tuple[bytes | None, ...]


def turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned by an EXIF orientation; one out of 1..8 turns nothing."""
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


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
        if at_least:
            _draft(image, at_least)
        image.load()
        orientation = _orientation(image)
        picture = to_rgb(image, at_least)
    # A TIFF turns itself while it is loaded: the loaded picture's shape tells.
    if size[0] != size[1] and image.size == size[::-1]:
        size = size[::-1]
    # Of a TIFF, Pillow gives no EXIF block: the file is one.
    return Stored(picture, size, orientation, (exif if isinstance(exif, bytes) else None, data))


def _open(data: bytes, format: Format) -> Image.Image:
    formats = ["BMP", "DIB"] if format is Format.BMP else [format.value]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise UndecodableError(SkipReason.TRUNCATED, f"a broken {format.value} file") from None
    except Image.DecompressionBombError:
        raise UndecodableError(SkipReason.TOO_LARGE, f"more pixels than the limit of {MAX_PIXELS:,}") from None


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
