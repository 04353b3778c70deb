"""HEIC files whose picture is cropped by the container (`clap`)."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.heif import remove_crop
from faceclust.types import PhotoRef, SkipReason
from tests.support.photo_files import crop_heif, encode_image
from tests.support.sample_photos import COLLINS, ORIENTATION, load_portrait

REF = PhotoRef("photo.heic", 1, 1)


@cache
def encode_portrait(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode_image(load_portrait(COLLINS).resize((480, 400)), "HEIF", exif)


@pytest.mark.parametrize(
    ("orientation", "right", "down"),
    [(1, 0, 0), (1, 1, 1), (2, 61, -40), (3, 61, -40), (4, 1, 1), (5, 61, -40), (6, 61, -40), (7, 0, 1), (8, -61, 40)],
)
def test_a_cropped_picture_is_decoded_as_newer_decoders_do(orientation: int, right: int, down: int) -> None:
    data = crop_heif(encode_portrait(orientation), (301, 200), right, down)
    photo = decode_photo(data, REF)
    expected = np.asarray(pillow_heif.open_heif(io.BytesIO(data)))
    assert photo.full_size == expected.shape[1::-1] == ((200, 301) if orientation > 4 else (301, 200))
    np.testing.assert_array_equal(photo.pixels, expected)


@pytest.mark.parametrize("size", [(0, 200), (481, 200), (300, 0)])
def test_an_invalid_crop_is_no_crop(size: tuple[int, int]) -> None:
    assert remove_crop(crop_heif(encode_portrait(), size)) is None


def test_files_without_a_crop_and_damaged_ones_have_none_to_remove() -> None:
    data = crop_heif(encode_portrait(), (300, 200))
    assert remove_crop(encode_portrait()) is None
    for length in range(0, 700, 31):
        remove_crop(data[:length])


def test_a_limit_of_the_decoder_is_not_called_truncation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Memory allocation error: Security limit exceeded")

    monkeypatch.setattr("faceclust.photos.decoders._decode", refuse)
    with pytest.raises(UndecodableError, match="Security limit") as caught:
        decode_photo(encode_portrait(), REF)
    assert caught.value.reason is SkipReason.TOO_LARGE
