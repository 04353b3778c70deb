"""Aligned face crops, such as the `.bin` files of InsightFace hold."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image

from faceclust.packs.alignment_templates import template_points
from faceclust.photos.errors import UndecodableError
from faceclust.types import Detections, SkipReason, UInt8

_MAX_SIDE = 2048  # pixels a side
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")


def decode_crop(data: bytes) -> UInt8:
    """Decode an encoded crop into RGB pixels (H, W, 3); it may be smaller than a photo.

    Raises UndecodableError if the data is not a picture or is too large.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if max(image.size) > _MAX_SIDE:
                raise UndecodableError(SkipReason.TOO_LARGE, f"more than {_MAX_SIDE} pixels a side")
            return np.asarray(image.convert("RGB"))
    except UndecodableError:
        raise
    except Exception as error:  # each decoder raises exceptions of its own
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error


def crop_detections(pixels: UInt8) -> Detections:
    """The one face that fills a square crop, with the landmarks of ArcFace's template.

    A crop that is not square has no face.
    """
    height, width = pixels.shape[:2]
    faces = [0] if height == width else []
    return Detections(
        boxes=np.array([(0, 0, width, height)], np.float32)[faces],
        scores=np.ones(1, np.float32)[faces],
        landmarks=template_points("arcface", (width, height))[None][faces],
    )
