"""Convert pictures loaded by Pillow to 8-bit sRGB, reducing huge ones on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from faceclust.types import UInt8

#: Pictures with more pixels are reduced right after decoding, if fewer are needed.
_MAX_UNREDUCED_PIXELS = 50_000_000
_BAND_PIXELS = 4_000_000  # converted at a time
_SAMPLE_SIDE = 2_000  # pixels; side of the sample that the range of values is estimated from
_MAX_PROFILE_BYTES = 4_000_000
#: Grey levels of 255. Display P3 has sRGB's tones, Adobe RGB almost; ProPhoto differs by 20.
_MAX_TONE_DIFFERENCE = 16

_ImageFilter = Callable[[Image.Image], Image.Image]


def convert_to_rgb(image: Image.Image, min_long_side: int | None) -> Image.Image:
    """Convert a loaded picture to RGB: by its colour profile, with transparency on white.

    A huge picture is reduced by a whole factor, to no less than `min_long_side` pixels along the
    longer side. That happens band by band, so that no second full-size copy exists.
    """
    convert, finish = _choose_conversion(image), _choose_colour_transform(image)
    factor = (
        max(image.size) // min_long_side if min_long_side and image.width * image.height > _MAX_UNREDUCED_PIXELS else 1
    )
    if factor <= 1:
        return finish(convert(image))
    width, height = image.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, _BAND_PIXELS // (width * factor))
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        reduced.paste(finish(convert(band).reduce(factor)), (0, top // factor))
    return reduced


def needs_colour_transform(image: Image.Image) -> bool:
    """Return whether the picture has a colour profile other than sRGB."""
    return _image_transform(image) is not None


def take_near_profile(image: Image.Image) -> bytes | None:
    """Remove and return the colour profile of a picture if its tones are near those of sRGB.

    Detectors work on such pixels as they are. None for other profiles, for sRGB, and for inks.
    """
    transform = None if image.mode == "CMYK" else _image_transform(image)
    if transform is None:
        return None
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    difference = _apply_transform(greys, transform).astype(int) - greys
    return image.info.pop("icc_profile") if np.abs(difference).max() <= _MAX_TONE_DIFFERENCE else None


def convert_to_srgb(pixels: UInt8, icc_profile: bytes | None) -> UInt8:
    """Convert RGB pixels (…, w, 3) with the colours of a profile; None: they are sRGB."""
    transform = _build_transform(icc_profile, "RGB") if icc_profile is not None else None
    return pixels if transform is None or not pixels.size else _apply_transform(pixels, transform)


def _apply_transform(pixels: UInt8, transform: ImageCms.ImageCmsTransform) -> UInt8:
    image = Image.fromarray(pixels.reshape(-1, pixels.shape[-2], 3))
    return np.asarray(ImageCms.applyTransform(image, transform)).reshape(pixels.shape)


def to_eight_bits(values: np.ndarray) -> UInt8:
    """Convert grey values of any depth to 8 bits.

    Bytes stay and 16-bit values keep their upper byte. Larger and floating-point values are
    stretched from their 1st to their 99th percentile.
    """
    return _eight_bit_scaling(values)(values)


def _choose_conversion(image: Image.Image) -> _ImageFilter:
    """Return a conversion to 8-bit RGB, or to CMYK if that has its own profile."""
    if image.mode.startswith("I") or image.mode == "F":
        step = -(-max(image.size) // _SAMPLE_SIDE)
        sample = image.resize((max(1, image.width // step), max(1, image.height // step)), Image.Resampling.NEAREST)
        levels = _eight_bit_scaling(np.asarray(sample))
        return lambda part: Image.fromarray(levels(np.asarray(part))).convert("RGB")
    if image.mode == "RGB" or (image.mode == "CMYK" and _image_transform(image) is not None):
        return lambda part: part
    if image.has_transparency_data:
        return _flatten_on_white
    return lambda part: part.convert("RGB")


def _flatten_on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _eight_bit_scaling(sample: np.ndarray) -> Callable[[np.ndarray], UInt8]:
    if sample.dtype.kind in "iu" and sample.min() >= 0 and sample.max() < 65536:
        shift = 8 if sample.dtype.itemsize == 2 or sample.max() > 255 else 0
        return lambda values: (values.astype(np.uint16) >> shift).astype(np.uint8)
    known = sample[np.isfinite(sample)].astype(np.float64)
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 0.0)

    def stretch(values: np.ndarray) -> UInt8:
        scaled = (np.nan_to_num(values.astype(np.float64)) - low) * (255 / (high - low or 1))
        return np.asarray(np.clip(scaled, 0, 255).round(), dtype=np.uint8)

    return stretch


def _choose_colour_transform(image: Image.Image) -> _ImageFilter:
    transform = _image_transform(image)
    if transform is None:
        return lambda part: part
    return lambda part: ImageCms.applyTransform(part, transform) or part


def _image_transform(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    profile = image.info.get("icc_profile")
    if (
        not isinstance(profile, bytes)
        or not 128 < len(profile) < _MAX_PROFILE_BYTES
        or image.mode in ("L", "LA", "LAB", "1")
    ):
        return None
    return _build_transform(profile, "CMYK" if image.mode == "CMYK" else "RGB")


@lru_cache(maxsize=8)
def _build_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return a transform to sRGB; None if the profile is sRGB, does not fit `mode`, or is invalid."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != mode:
            return None
        if mode == "RGB" and "srgb" in (source.profile.profile_description or "").lower():
            return None
        return ImageCms.buildTransform(
            source,
            _srgb_profile(),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # an invalid profile is no reason to skip a photo
        return None


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
