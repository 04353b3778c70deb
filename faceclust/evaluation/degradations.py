"""Degradations of pictures: JPEG, downscaling, blur, noise, exposure, occlusion.

Each is a value that can be pickled, compared and printed. It maps the upright pixels (H, W, 3) of a
picture to new pixels, always the same ones for the same picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from faceclust.types import UInt8

#: A picklable function of a picture's upright pixels (H, W, 3). Cached measurements go by its `repr`.
Degradation = Callable[[UInt8], UInt8]


@dataclass(frozen=True)
class JpegCompression:
    """Encoding as JPEG at libjpeg's `quality`, 1 to 100."""

    quality: int

    def __call__(self, pixels: UInt8) -> UInt8:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=self.quality)
        with Image.open(out, formats=("JPEG",)) as image:
            return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Downscaling:
    """Division of both sides by `factor`; with `restore_size`, then enlarged to the old size."""

    factor: float
    restore_size: bool = False

    def __call__(self, pixels: UInt8) -> UInt8:
        image = Image.fromarray(pixels)
        width, height = (max(1, round(side / self.factor)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC) if self.restore_size else small)


@dataclass(frozen=True)
class GaussianBlur:
    """Blur by a Gaussian with a standard `deviation` in pixels."""

    deviation: float

    def __call__(self, pixels: UInt8) -> UInt8:
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(self.deviation)))


@dataclass(frozen=True)
class GaussianNoise:
    """Independent Gaussian noise in every channel, with a standard `deviation` in units of 1/255."""

    deviation: float

    def __call__(self, pixels: UInt8) -> UInt8:
        # The seed comes from the picture, so that the same picture gets the same noise.
        noise = np.random.default_rng(int(pixels.sum())).normal(0, self.deviation, pixels.shape)
        return _to_uint8(pixels + noise)


@dataclass(frozen=True)
class ExposureChange:
    """Multiplication of every value by `factor`: darker below 1, lighter and clipped at white above 1."""

    factor: float

    def __call__(self, pixels: UInt8) -> UInt8:
        return _to_uint8(pixels * self.factor)


@dataclass(frozen=True)
class LeftOcclusion:
    """A black left part, of this `share` of the width; 0.5 hides half of a centred face."""

    share: float

    def __call__(self, pixels: UInt8) -> UInt8:
        out = pixels.copy()
        out[:, : round(pixels.shape[1] * self.share)] = 0
        return out


@dataclass(frozen=True)
class BandOcclusion:
    """A grey band across the picture, of this `share` of the height, ending at `end` of the height.

    It covers a centred face from the chin upwards, as a scarf does.
    """

    share: float
    end: float = 0.7

    def __call__(self, pixels: UInt8) -> UInt8:
        out = pixels.copy()
        height = len(pixels)
        out[round(height * (self.end - self.share)) : round(height * self.end)] = 128
        return out


def _to_uint8(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> UInt8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
