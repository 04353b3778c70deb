"""Decode pictures as they are stored, not yet turned upright."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from faceclust.photos.colour import convert_to_rgb, needs_colour_transform, take_near_profile
from faceclust.photos.errors import UndecodableError
from faceclust.photos.exif_orientation import upright_size
from faceclust.photos.formats import Format
from faceclust.photos.heif import read_heif_orientation, remove_crop
from faceclust.photos.limits import MAX_PIXELS, check_picture_size, reject_decompression_bombs
from faceclust.photos.turbojpeg import PixelBuffer, add_end_marker, decode_with_turbojpeg
from faceclust.types import SkipReason, UInt8

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Pillow warns above this and refuses twice as much, even if a file declares its size late.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
# Image generators write megabytes of text into PNG files; it must not be an error.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class DecodedImage:
    """A decoded picture before it is turned upright.

    `pixels`: RGB (h, w, 3), possibly reduced. `size`: width and height of the full picture.
    `orientation`: the EXIF orientation still to be applied, and `applied` the one that the decoder has
    applied. `metadata_sources`: EXIF blocks or whole files, the best source first. `icc_profile`: the
    profile of the pixels' colours, None if they are sRGB.
    """

    pixels: UInt8
    size: tuple[int, int]
    orientation: int
    metadata_sources: tuple[bytes | None, ...]
    icc_profile: bytes | None = None
    applied: int = 1


def decode_picture(
    data: bytes,
    format: Format,
    min_long_side: int | None,
    *,
    buffer: PixelBuffer | None = None,
    convert_colours: bool = True,
) -> DecodedImage:
    """Decode a picture of any format that Pillow reads; the options are those of `decode_photo`.

    Only huge pictures and large JPEGs are reduced, the latter to 1/2, 1/4 or 1/8 (DCT scaling). The
    result keeps `min_long_side` pixels along the longer side. Raises UndecodableError, or an
    exception of the decoder.
    """
    reject_decompression_bombs(data, format)
    try:
        return _decode(data, format, min_long_side, buffer, convert_colours=convert_colours)
    except UndecodableError:
        raise
    except Exception as error:
        if format is Format.JPEG and (completed := add_end_marker(data)) is not None:
            return _decode(completed, format, min_long_side, buffer, convert_colours=convert_colours)
        if format is Format.HEIF and "Security limit" in str(error):
            return _decode_uncropped(data, str(error), convert_colours=convert_colours)
        raise


def _decode_uncropped(data: bytes, refusal: str, *, convert_colours: bool) -> DecodedImage:
    """Decode a HEIC file whose picture is cropped, and crop it afterwards.

    libheif 1.23.0 limits the whole picture to the size of the crop, and refuses it.
    """
    uncropped = remove_crop(data)
    if uncropped is None:
        raise UndecodableError(SkipReason.TOO_LARGE, " ".join(refusal.split()))
    decoded = _decode(uncropped.data, Format.HEIF, None, None, convert_colours=convert_colours)
    pixels = uncropped.crop(decoded.pixels)
    height, width = pixels.shape[:2]
    check_picture_size(width, height, Format.HEIF)
    return replace(decoded, pixels=pixels, size=(width, height))


def _decode(
    data: bytes, format: Format, min_long_side: int | None, buffer: PixelBuffer | None, *, convert_colours: bool
) -> DecodedImage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about unusual tags
        image = _open_image(data, format)
        size = image.size
        check_picture_size(*size, format)
        _reject_large_tiles(image)
        exif = image.info.get("exif")
        stored = _stored_orientation(image, data, format)
        profile = None if convert_colours else take_near_profile(image)
        pixels = _decode_jpeg_fast(data, image, min_long_side, buffer) if format is Format.JPEG else None
        if pixels is None:
            if min_long_side:
                _request_reduced_size(image, min_long_side)
            image.load()
            pixels = np.asarray(convert_to_rgb(image, min_long_side))
    is_turned = format in (Format.TIFF, Format.HEIF)  # by their decoders
    # Pillow turns a TIFF upright while loading it, which shows in the size.
    if size[0] != size[1] and image.size == size[::-1]:
        size = size[::-1]
    # Pillow has no EXIF block for a TIFF, but the whole file can be read as one.
    sources = exif if isinstance(exif, bytes) else None, data
    return DecodedImage(pixels, size, 1 if is_turned else stored, sources, profile, stored if is_turned else 1)


def read_orientation_and_size(file: BinaryIO, format: Format) -> tuple[int, tuple[int, int]]:
    """Return the EXIF orientation of a picture that Pillow reads, and its upright (width, height).

    For most formats only the beginning of the file is read. Raises exceptions of Pillow.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about unusual tags
        with Image.open(file, formats=_pillow_formats(format)) as image:
            orientation = _exif_orientation(image)
            tags = getattr(image, "tag_v2", {})
            width, height = (int(tags.get(tag, side)) for tag, side in zip((256, 257), image.size, strict=True))
    return orientation, upright_size((width, height), orientation)


def _decode_jpeg_fast(
    data: bytes, image: Image.Image, min_long_side: int | None, buffer: PixelBuffer | None
) -> UInt8 | None:
    """Return the pixels of a JPEG that Pillow has opened but not loaded; None if Pillow must load it."""
    if image.mode not in ("RGB", "L"):
        return None
    pixels = decode_with_turbojpeg(data, image.size, min_long_side, buffer)
    if pixels is None or not needs_colour_transform(image):
        return pixels
    picture = Image.fromarray(pixels)
    picture.info = image.info
    return np.asarray(convert_to_rgb(picture, min_long_side))


def _open_image(data: bytes, format: Format) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_pillow_formats(format))
    except UnidentifiedImageError:
        raise UndecodableError(SkipReason.TRUNCATED, f"a damaged {format.value} file") from None
    except Image.DecompressionBombError:
        raise UndecodableError(SkipReason.TOO_LARGE, f"more pixels than the limit of {MAX_PIXELS:,}") from None


def _pillow_formats(format: Format) -> list[str]:
    return ["BMP", "DIB"] if format is Format.BMP else [format.value]


def _reject_large_tiles(image: Image.Image) -> None:
    """Raise UndecodableError for a TIFF with huge tiles: the decoder allocates a whole declared tile."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and {322, 323} <= tags.keys():
        width, height = (int(tags[tag]) for tag in (322, 323))
        if width * height > MAX_PIXELS:
            raise UndecodableError(SkipReason.TOO_LARGE, f"tiles of {width}×{height} pixels")


def _request_reduced_size(image: Image.Image, min_long_side: int) -> None:
    scale = min_long_side / max(image.size)
    if scale < 1:
        image.draft(None, (math.ceil(image.size[0] * scale), math.ceil(image.size[1] * scale)))


def _stored_orientation(image: Image.Image, data: bytes, format: Format) -> int:
    """Return the orientation of a picture that is opened but not loaded."""
    if format not in (Format.HEIF, Format.AVIF):
        return _exif_orientation(image)
    try:
        return read_heif_orientation(io.BytesIO(data))
    except ValueError:
        return 1


def _exif_orientation(image: Image.Image) -> int:
    try:
        value = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF; the picture may still be fine
        return 1
    return value if 1 <= value <= 8 else 1
