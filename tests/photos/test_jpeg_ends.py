"""JPEGs whose picture is complete but whose end marker is missing, and truncated ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.turbojpeg import add_end_marker
from faceclust.types import PhotoRef, SkipReason
from tests.support.photo_files import encode_image
from tests.support.sample_photos import COLLINS, load_portrait

REF = PhotoRef("photo.jpg", 1, 1)
PORTRAIT = load_portrait(COLLINS).resize((320, 320))
JPEGS = {
    "baseline": encode_image(PORTRAIT, "JPEG", quality=90),
    "progressive": encode_image(PORTRAIT, "JPEG", quality=90, progressive=True),
    "restart markers": encode_image(PORTRAIT, "JPEG", quality=90, restart_marker_rows=4),
    "grey": encode_image(PORTRAIT.convert("L"), "JPEG"),
    "CMYK": encode_image(PORTRAIT.convert("CMYK"), "JPEG"),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(
    "end", [b"", b"\xff", bytes(4096), b"\xff" + bytes(4096)], ids=["none", "half", "zeros", "both"]
)
def test_a_complete_picture_needs_no_end_marker(kind: str, end: bytes) -> None:
    whole = JPEGS[kind]
    photo, expected = decode_photo(whole[:-2] + end, REF), decode_photo(whole, REF)
    assert photo.pixels.shape == expected.pixels.shape
    # Pillow, which accepts zeros after a baseline JPEG, interpolates colours in another way.
    assert np.abs(photo.pixels.astype(int) - expected.pixels).mean() < 2
    assert np.abs(photo.pixels[-8:].astype(int) - expected.pixels[-8:]).mean() < 2


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restart markers", "grey"])
@pytest.mark.parametrize("end", [b"", bytes(4096)], ids=["none", "zeros"])
@pytest.mark.parametrize("missing", [3, 4, 20, 200, 2000])
def test_an_incomplete_picture_is_truncated(kind: str, end: bytes, missing: int) -> None:
    cut = JPEGS[kind][:-missing] + end
    assert add_end_marker(cut) is None
    if not end:  # Pillow takes zeros for data of a baseline JPEG
        with pytest.raises(UndecodableError) as caught:
            decode_photo(cut, REF)
        assert caught.value.reason is SkipReason.TRUNCATED


def test_zeros_that_belong_to_the_picture_stay() -> None:
    """The last byte of a picture may be FF, which is stored as FF 00."""
    for seed in range(4000):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
        whole = encode_image(Image.fromarray(pixels), "JPEG", quality=95)
        if whole[:-2].endswith(b"\xff\x00"):
            break
    else:
        pytest.fail("no such picture")
    for end in (b"", bytes(100)):
        completed = add_end_marker(whole[:-2] + end)
        assert completed is not None
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(completed))), Image.open(io.BytesIO(whole)))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8\xff", bytes(50), JPEGS["baseline"][:300]])
def test_what_is_no_picture_gets_no_end_marker(data: bytes) -> None:
    assert add_end_marker(data) is None
