"""File bytes to upright RGB pixels, whatever the format, mode and orientation."""

from __future__ import annotations

import hashlib
import io
import math
import warnings

import numpy as np
import pi_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from faceclust.photos.metadata import read_metadata
from faceclust.types import Photo, PhotoRef, SkipReason, UInt8

MAX_PIXELS = 250_000_000
#: Larger files are no photos, and reading one into memory helps nobody.
MAX_BYTES = 2_000_000_000

#: What is decoded, and no more: Pillow would hand some other formats to outside programs.
_FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "HEIF", "AVIF"]

pi_heif.register_heif_opener(thumbnails=False)
# Pillow's own guard warns at 89 and gives up at 179 megapixels; ours is MAX_PIXELS.
Image.MAX_IMAGE_PIXELS = None
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


class UndecodableError(Exception):
    """This file gives no picture; `reason` and the message say why."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode_photo(data: bytes, ref: PhotoRef, at_least: int | None = None) -> Photo:
    """Decode a photo file's bytes.

    `at_least`: pixels wanted along the longer side; a JPEG may then be decoded at 1/2, 1/4
    or 1/8 of its size (DCT scaling), never below what is asked. None: full size.
    Raises UndecodableError.
    """
    if not data:
        raise UndecodableError(SkipReason.EMPTY, "the file has no bytes")
    image = _open(data)
    stored_size = image.size
    if math.prod(stored_size) > MAX_PIXELS:
        raise UndecodableError(
            SkipReason.TOO_LARGE, f"{stored_size[0]}×{stored_size[1]} pixels, the limit is {MAX_PIXELS:,}"
        )
    exif = image.info.get("exif")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
            if at_least:
                _draft(image, at_least)
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            turned = turn is not None and turn >= Image.Transpose.ROTATE_90 and turn != Image.Transpose.ROTATE_180
            pixels = _rgb(image)
            if turn is not None:
                pixels = pixels.transpose(turn)
    except MemoryError:
        raise UndecodableError(SkipReason.OUT_OF_MEMORY, "it could not be decoded") from None
    except Exception as error:  # decoders fail in their own ways; one photo must not stop the rest
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error
    # A TIFF turns itself while it is loaded, so trust the result's shape over the tag.
    full_size = stored_size[::-1] if turned or _swapped(stored_size, image.size) else stored_size
    return Photo(
        ref=ref,
        content_hash=hashlib.blake2b(data, digest_size=16).hexdigest(),
        pixels=np.asarray(pixels),
        full_size=full_size,
        metadata=read_metadata(exif if isinstance(exif, bytes) else None, data),
    )


def _open(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise UndecodableError(SkipReason.NOT_A_PHOTO, "its content is no image format faceclust reads") from None
    except MemoryError:  # some decoders do all their work here
        raise UndecodableError(SkipReason.OUT_OF_MEMORY, "it could not be opened") from None
    except Exception as error:
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error


def _draft(image: Image.Image, at_least: int) -> None:
    scale = at_least / max(image.size)
    if scale < 1:
        image.draft(None, (math.ceil(image.size[0] * scale), math.ceil(image.size[1] * scale)))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF: the photo itself may be fine
        return 1


def _swapped(stored: tuple[int, int], loaded: tuple[int, int]) -> bool:
    return stored[0] != stored[1] and loaded == stored[::-1]


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB; transparent parts on white."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(values: np.ndarray) -> UInt8:
    """Grey values of another depth: bytes stay, 16-bit values keep their upper byte, larger and
    floating-point ones are stretched from their darkest to their brightest hundredth."""
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 65536:
        shift = 8 if values.dtype.itemsize == 2 or values.max() > 255 else 0
        return (values.astype(np.uint16) >> shift).astype(np.uint8)
    known = values[np.isfinite(values)].astype(np.float64)
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 0.0)
    stretched = (np.nan_to_num(values.astype(np.float64)) - low) * (255 / (high - low or 1))
    return np.asarray(np.clip(stretched, 0, 255).round(), dtype=np.uint8)
