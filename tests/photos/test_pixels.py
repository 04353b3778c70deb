"""Arrays and Pillow images become upright RGB pixels, or are refused with a hint."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceclust.errors import UsageError
from faceclust.photos.pixels import to_upright_pixels

RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_an_rgb_array_stays_as_it_is() -> None:
    assert to_upright_pixels(RGB) is RGB


def test_grey_arrays_get_three_equal_channels_and_transparency_becomes_white() -> None:
    assert (to_upright_pixels(RGB[:, :, 0]) == RGB[:, :, :1]).all()
    opaque, transparent = (np.dstack([RGB, np.full((2, 4), alpha, np.uint8)]) for alpha in (255, 0))
    assert (to_upright_pixels(opaque) == RGB).all() and (to_upright_pixels(transparent) == 255).all()


def test_a_pillow_image_is_turned_upright_by_its_orientation() -> None:
    image, exif = Image.fromarray(RGB), Image.Exif()
    assert (to_upright_pixels(image) == RGB).all()
    stream = io.BytesIO()
    exif[0x0112] = 6
    image.save(stream, "PNG", exif=exif)
    assert (to_upright_pixels(Image.open(stream, formats=["PNG"])) == np.rot90(RGB, -1)).all()


def test_a_pillow_image_of_any_mode_becomes_rgb() -> None:
    for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16", "F"):
        pixels = to_upright_pixels(Image.new(mode, (5, 4), 1))
        assert pixels.shape == (4, 5, 3) and pixels.dtype == np.uint8, mode


@pytest.mark.parametrize(
    ("picture", "message", "hint"),
    [
        (RGB / 255, "uint8, not float64", "255"),
        (np.zeros((3, 20, 30), np.uint8), r"not \(3, 20, 30\)", "transpose"),
        (RGB[None], "several pictures", "list"),
        (RGB[0, 0], r"not \(3,\)", "transpose"),
        (RGB[:0], "no pixels", None),
        (b"\xff\xd8", "not bytes", "BytesIO"),
        (None, "not NoneType", "numpy"),
    ],
)
def test_what_is_no_picture_is_refused(picture: Any, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        to_upright_pixels(picture)
    assert (hint or "") in (caught.value.hint or "")


def test_a_damaged_pillow_image_is_refused() -> None:
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(stream, "PNG")
    cut = io.BytesIO(stream.getvalue()[:600])
    with pytest.raises(UsageError, match="cannot be decoded"):
        to_upright_pixels(Image.open(cut, formats=["PNG"]))
