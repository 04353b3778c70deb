"""Every format, mode and orientation is decoded to upright RGB; every damaged file has a reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from faceclust.photos import turbojpeg
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.types import PhotoRef, SkipReason
from tests.support.photo_files import UPRIGHT_CORNERS, draw_scene, encode_image, name_corner_colours
from tests.support.sample_photos import ORIENTATION

REF = PhotoRef("photo", 1, 1)
#: What a camera stores for each orientation of an upright scene.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_pictures_of_every_orientation_are_turned_upright(format: str, orientation: int) -> None:
    turn = STORED_AS[orientation]
    stored = draw_scene() if turn is None else draw_scene().transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = decode_photo(encode_image(stored, format, exif), REF)
    assert name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert photo.full_size == (192, 128) == (photo.pixels.shape[1], photo.pixels.shape[0])
    assert photo.is_full_size


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_not_decoded_smaller_than_requested(orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbojpeg, "_MAX_FULL_DECODE_PIXELS", 0)  # so that this size is reduced
    turn = STORED_AS[orientation]
    stored = draw_scene(960, 640) if turn is None else draw_scene(960, 640).transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = decode_photo(encode_image(stored, "JPEG", exif), REF, min_long_side=400)
    assert photo.pixels.shape == (320, 480, 3)
    assert photo.full_size == (960, 640)
    assert not photo.is_full_size
    assert name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert decode_photo(encode_image(stored, "JPEG", exif), REF, min_long_side=5000).is_full_size


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "RGBA", "LA", "YCbCr"])
def test_every_mode_is_converted_to_rgb(mode: str) -> None:
    image = draw_scene().convert(mode)
    format = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    photo = decode_photo(encode_image(image, format), REF)
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 6


def test_16_bit_and_float_pictures_keep_their_gradients() -> None:
    ramp = np.linspace(0, 65535, 128 * 192).reshape(128, 192)
    sixteen = Image.fromarray(ramp.astype(np.uint16))
    for format in ("PNG", "TIFF"):
        photo = decode_photo(encode_image(sixteen, format), REF)
        np.testing.assert_array_equal(photo.pixels[:, :, 0], (ramp.astype(np.uint16) >> 8).astype(np.uint8))
    floats = decode_photo(encode_image(Image.fromarray((ramp / 65535).astype(np.float32)), "TIFF"), REF)
    assert floats.pixels[0, 0].tolist() == [0, 0, 0] and floats.pixels[-1, -1].tolist() == [255, 255, 255]


def test_32_bit_integers_and_non_finite_floats_do_not_become_black() -> None:
    levels = np.tile(np.arange(192, dtype=np.int32) + 40, (128, 1))
    photo = decode_photo(encode_image(Image.fromarray(levels), "TIFF"), REF)
    np.testing.assert_array_equal(photo.pixels[:, :, 0], levels.astype(np.uint8))
    floats = levels.astype(np.float32)
    floats[0, 0], floats[1, 1] = np.inf, 1e30
    assert decode_photo(encode_image(Image.fromarray(floats), "TIFF"), REF).pixels.std() > 50


def test_a_png_with_megabytes_of_text_is_decoded() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "words " * 500_000, zip=True)
    assert (
        name_corner_colours(decode_photo(encode_image(draw_scene(), "PNG", pnginfo=text), REF).pixels)
        == UPRIGHT_CORNERS
    )


def test_postscript_is_not_passed_to_an_external_decoder() -> None:
    assert skip_reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n") is SkipReason.NOT_A_PHOTO


def test_transparency_becomes_white() -> None:
    image = draw_scene().convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(192) < 96, 255, 0).astype(np.uint8)[None].repeat(128, 0)))
    assert name_corner_colours(decode_photo(encode_image(image, "PNG"), REF).pixels) == [
        "red",
        "white",
        "blue",
        "white",
    ]
    palette = Image.new("P", (128, 128))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    photo = decode_photo(encode_image(palette, "GIF", transparency=0), REF)
    assert photo.pixels[0, 0].tolist() == [255, 255, 255]


def test_only_the_first_frame_of_an_animation_is_decoded() -> None:
    data = encode_image(draw_scene(), "GIF", save_all=True, append_images=[Image.new("RGB", (192, 128), "black")])
    assert name_corner_colours(decode_photo(data, REF).pixels) == UPRIGHT_CORNERS


def test_the_hash_depends_on_the_content_alone() -> None:
    data = encode_image(draw_scene(), "BMP")
    assert decode_photo(data, REF).content_hash == decode_photo(data, PhotoRef("other", 2, 2)).content_hash
    assert decode_photo(data, REF).content_hash != decode_photo(encode_image(draw_scene(), "PNG"), REF).content_hash


def skip_reason(data: bytes) -> SkipReason:
    with pytest.raises(UndecodableError) as failure:
        decode_photo(data, REF)
    assert str(failure.value)
    return failure.value.reason


def test_unusable_files_have_a_skip_reason() -> None:
    assert skip_reason(b"") is SkipReason.EMPTY
    assert skip_reason(b"Dear diary, this is no photo.") is SkipReason.NOT_A_PHOTO
    assert skip_reason(Path(__file__).read_bytes()) is SkipReason.NOT_A_PHOTO


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"])
def test_truncated_files_raise_only_undecodable_error(format: str) -> None:
    data = encode_image(draw_scene(), format)
    for end in (len(data) // 2, len(data) * 3 // 4):
        assert skip_reason(data[:end]) in (SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO)


@pytest.mark.parametrize("seed", range(40))
def test_corrupted_files_are_decoded_or_have_a_skip_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    format = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"][seed % 8]
    data = np.frombuffer(encode_image(draw_scene(), format), np.uint8).copy()
    data[rng.integers(0, len(data), 12)] ^= rng.integers(1, 255, 12, dtype=np.uint8)
    try:
        assert decode_photo(data.tobytes(), REF).pixels.dtype == np.uint8
    except UndecodableError as error:
        assert error.reason in (SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO, SkipReason.TOO_LARGE)


def test_a_gigantic_picture_is_refused_by_its_header() -> None:
    # A PNG that claims 20,000 × 20,000 pixels and holds none.
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert skip_reason(data) is SkipReason.TOO_LARGE
