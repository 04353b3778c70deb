"""Pictures in memory, NumPy arrays and Pillow images, as upright RGB pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from faceclust.errors import UsageError
from faceclust.photos.colour import convert_to_rgb
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.types import UInt8

_ORIENTATION_TAG = 0x0112


def to_upright_pixels(picture: object) -> UInt8:
    """Return a picture as uint8 RGB (H, W, 3).

    An array is RGB (H, W, 3), grey (H, W), or RGBA (H, W, 4), whose transparency is put on white; its
    channels are never swapped. A Pillow image is turned upright by its EXIF orientation and converted
    by its colour profile. Raises UsageError for anything else.
    """
    if isinstance(picture, Image.Image):
        return _read_image(picture)
    if isinstance(picture, np.ndarray):
        return _read_array(picture)
    raise UsageError(
        f"a picture is a path, a NumPy array or a Pillow image, not {type(picture).__name__}",
        hint="encoded bytes: PIL.Image.open(io.BytesIO(data)); a tensor: numpy.asarray(tensor)",
    )


def _read_array(array: np.ndarray[Any, Any]) -> UInt8:
    if array.dtype != np.uint8:
        raise UsageError(
            f"a picture has values of type uint8, not {array.dtype}",
            hint="values from 0 to 1: (255 * picture).astype('uint8')",
        )
    if array.ndim == 4:
        raise UsageError(f"an array of shape {array.shape} is several pictures", hint="pass a list: list(array)")
    is_grey = array.ndim == 2
    if not is_grey and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise UsageError(
            f"a picture has the shape (height, width, 3), not {array.shape}",
            hint="channels first: picture.transpose(1, 2, 0)",
        )
    if 0 in array.shape:
        raise UsageError(f"a picture of shape {array.shape} has no pixels")
    if is_grey:
        return np.repeat(array[:, :, None], 3, axis=2)
    return array if array.shape[2] == 3 else np.asarray(convert_to_rgb(Image.fromarray(array), None))


def _read_image(image: Image.Image) -> UInt8:
    try:
        image.load()
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        pixels = np.asarray(convert_to_rgb(image, None))
    except Exception as error:  # decoders raise exceptions of any type
        raise UsageError(f"the Pillow image cannot be decoded: {error}") from error
    return apply_orientation(pixels, orientation)
