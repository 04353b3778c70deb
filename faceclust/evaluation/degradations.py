"""What may have happened to a picture before it is looked at: JPEG, reduction, blur, noise, darkness,
parts hidden.

Each is a value that can be sent to another process, compared and printed; called with the upright
pixels (H, W, 3) of a picture it gives new ones. The same pixels always become the same.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from faceclust.types import UInt8


@dataclass(frozen=True)
class JpegCompression:
    """Saved as a JPEG of this quality (libjpeg's, 1 to 100), and read again."""

    quality: int

    def __call__(self, pixels: UInt8) -> UInt8:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=self.quality)
        with Image.open(out) as image:
            return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Downscaling:
    """Reduced to a `factor`-th of its sides; with `back` blown up again to the size it had."""

    factor: float
    restore_size: bool = False

    def __call__(self, pixels: UInt8) -> UInt8:
        image = Image.fromarray(pixels)
        width, height = (max(1, round(side / self.factor)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC) if self.restore_size else small)


@dataclass(frozen=True)
class GaussianBlur:
    """Out of focus: blurred by a Gaussian of this many pixels' standard deviation."""

    deviation: float

    def __call__(self, pixels: UInt8) -> UInt8:
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(self.deviation)))


@dataclass(frozen=True)
class GaussianNoise:
    """Independent Gaussian noise of this standard deviation (of 255) in every channel."""

    deviation: float

    def __call__(self, pixels: UInt8) -> UInt8:
        noise = np.random.default_rng(int(pixels.sum())).normal(0, self.deviation, pixels.shape)
        return _to_uint8(pixels + noise)


@dataclass(frozen=True)
class ExposureChange:
    """Every value times this: below 1 darker, with fewer steps left; above 1 lighter, cut off at white."""

    factor: float

    def __call__(self, pixels: UInt8) -> UInt8:
        return _to_uint8(pixels * self.factor)


@dataclass(frozen=True)
class LeftOcclusion:
    """Cut off on the left: this share of the width is black. At 0.5 half of a face in the middle."""

    share: float

    def __call__(self, pixels: UInt8) -> UInt8:
        out = pixels.copy()
        out[:, : round(pixels.shape[1] * self.share)] = 0
        return out


@dataclass(frozen=True)
class BandOcclusion:
    """A grey band right across, this share of the height tall, that ends at `end` of the height: what
    a scarf does to a face in the middle, from the chin up."""

    share: float
    end: float = 0.7

    def __call__(self, pixels: UInt8) -> UInt8:
        out = pixels.copy()
        height = len(pixels)
        out[round(height * (self.end - self.share)) : round(height * self.end)] = 128
        return out


def _to_uint8(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> UInt8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
