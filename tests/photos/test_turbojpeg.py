"""libjpeg-turbo's pixels equal Pillow's at every reduction, and irregular files are left to Pillow."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from faceclust.photos import turbojpeg
from faceclust.photos.decode import decode_photo
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.photos.turbojpeg import PixelBuffer, decode_with_turbojpeg
from faceclust.types import PhotoRef
from tests.support.sample_photos import COLLINS, load_portrait

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def encode(mode: str = "RGB", size: tuple[int, int] = (403, 301), **options: object) -> bytes:
    out = io.BytesIO()
    load_portrait(COLLINS).convert(mode).resize(size).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"mode": "L"}], ids=str)
@pytest.mark.parametrize("min_long_side", [None, 403, 300, 202, 101, 51, 1])
def test_pixels_equal_pillows_at_every_reduction(
    options: dict[str, object], min_long_side: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turbojpeg, "_MAX_FULL_DECODE_PIXELS", 0)
    data = encode(**options)  # type: ignore[arg-type]
    expected = Image.open(io.BytesIO(data))
    if min_long_side:
        reduction = next((by for by in (8, 4, 2) if -(-403 // by) >= min_long_side), 1)
        expected.draft(None, (403 // reduction, 301 // reduction))
    pixels = decode_with_turbojpeg(data, (403, 301), min_long_side)
    assert pixels is not None and max(pixels.shape) >= (min_long_side or 403)
    difference = pixels.astype(int) - np.asarray(expected.convert("RGB")).astype(int)
    assert np.abs(difference).mean() < 1
    luma = difference @ np.array([0.299, 0.587, 0.114])  # colours are upsampled in another way
    assert np.abs(luma).mean() < 0.5 and np.abs(luma).max() <= 8


def test_a_buffer_is_used_again_and_grows() -> None:
    buffer, sizes = PixelBuffer(), [(403, 301), (161, 130), (640, 480)]
    photos = [encode(size=size) for size in sizes]
    alone = [decode_photo(data, PhotoRef("a.jpg", 1, 1)).pixels for data in photos]
    first, second, third = (decode_photo(data, PhotoRef("a.jpg", 1, 1), buffer=buffer).pixels for data in photos)
    np.testing.assert_array_equal(third, alone[2])
    np.testing.assert_array_equal(second, alone[1])
    assert np.shares_memory(first, second) and not np.shares_memory(second, third)
    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(buffer.reserve, 4).result()
    assert not np.shares_memory(other, third)


@pytest.mark.parametrize("orientation", range(10))
def test_apply_orientation_equals_pillows_transpose(orientation: int) -> None:
    picture = load_portrait(COLLINS).resize((40, 30))
    expected = picture.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else picture
    np.testing.assert_array_equal(apply_orientation(np.asarray(picture), orientation), np.asarray(expected))


def test_damaged_and_cmyk_jpegs_are_left_to_pillow() -> None:
    intact = encode()
    assert decode_with_turbojpeg(intact[: len(intact) // 2], (403, 301), None) is None
    assert decode_with_turbojpeg(intact, (400, 300), None) is None  # not the declared size
    assert decode_photo(encode("CMYK"), PhotoRef("a.jpg", 1, 1)).full_size == (403, 301)
