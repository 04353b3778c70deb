"""Colours are converted to sRGB from every mode, depth and profile."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from faceclust.photos import colour
from faceclust.photos.decode import decode_photo
from faceclust.types import PhotoRef
from tests.support.photo_files import UPRIGHT, corners, encode, jpeg_in_cmyk, moving, scene, strange_inks, wide_gamut

REF = PhotoRef("photo", 1, 1)


def decode(data: bytes) -> np.ndarray:
    return decode_photo(data, REF).pixels.astype(int)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_wide_gamut_colours_are_converted_to_srgb(format: str) -> None:
    # In Adobe RGB (128, 128, 128) is the same grey and (100, 180, 60) a green beyond sRGB.
    grey, green = Image.new("RGB", (160, 128), (128, 128, 128)), Image.new("RGB", (160, 128), (100, 180, 60))
    assert decode(encode(grey, format, icc_profile=wide_gamut()))[64, 80] == pytest.approx([128] * 3, abs=3)
    assert decode(encode(green, format, icc_profile=wide_gamut()))[64, 80] == pytest.approx([0, 181, 41], abs=4)
    assert decode(encode(green, format))[64, 80] == pytest.approx([100, 180, 60], abs=4)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile(format: str) -> None:
    inks = Image.new("CMYK", (160, 128), (255, 0, 0, 0))
    assert decode(encode(inks, format, icc_profile=strange_inks()))[9, 9] == pytest.approx([254, 0, 0], abs=9)
    assert decode(encode(inks, format))[9, 9] == pytest.approx([0, 255, 255], abs=4)


@pytest.mark.parametrize(
    "profile",
    [
        b"x" * 200,
        wide_gamut()[:300],
        wide_gamut().replace(b"rXYZ", b"xxxx"),
        wide_gamut().replace(b"RGB ", b"CMYK"),
        strange_inks(),
    ],
)
def test_invalid_and_mismatched_profiles_are_ignored(profile: bytes) -> None:
    for image in (scene(), scene().convert("L"), scene().convert("RGBA")):
        plain = decode(encode(image, "PNG"))
        np.testing.assert_array_equal(decode(encode(image, "PNG", icc_profile=profile)), plain)


def test_adobe_cmyk_and_ycck_jpegs_are_decoded() -> None:
    assert corners(decode(jpeg_in_cmyk(scene(), quality=95))) == UPRIGHT
    inverted = 255 - np.asarray(scene().convert("CMYK"))
    ycck = imagecodecs.jpeg8_encode(inverted, colorspace="CMYK", outcolorspace="YCCK", level=95)
    assert b"Adobe" in ycck and corners(decode(bytes(ycck))) == UPRIGHT


def test_progressive_jpegs_stereo_pairs_and_animations_are_decoded() -> None:
    assert corners(decode(encode(scene(), "JPEG", progressive=True))) == UPRIGHT
    mpo = encode(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (192, 128))])
    assert corners(decode(mpo)) == UPRIGHT
    assert corners(decode(moving(scene(), "PNG"))) == corners(decode(moving(scene(), "WEBP"))) == UPRIGHT


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("photometric", ["rgb", "separated", "minisblack"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_tiffs_of_every_depth_are_decoded(compression: str | None, photometric: str, depth: type) -> None:
    mode = {"rgb": "RGB", "separated": "CMYK", "minisblack": "L"}[photometric]
    values = np.asarray(scene().convert(mode)).astype(depth)
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        values * (257 if depth is np.uint16 else 1),
        photometric=photometric,
        compression=compression,
        planarconfig=None if mode == "L" else "contig",
    )
    expected = np.asarray(Image.fromarray(values.astype(np.uint8), mode).convert("RGB")).astype(int)
    assert np.abs(decode(out.getvalue()) - expected).max() <= 1


def test_only_the_first_page_of_a_tiff_is_decoded() -> None:
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", None):
        pages = encode(
            scene(), "TIFF", save_all=True, append_images=[Image.new("RGB", (99, 99))], compression=compression
        )
        assert corners(decode(pages)) == UPRIGHT


def test_a_png_with_16_bits_per_channel_is_decoded() -> None:
    values = np.asarray(scene()).astype(np.uint16) * 257
    assert corners(decode(bytes(imagecodecs.png_encode(values)))) == UPRIGHT


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "F", "1"])
def test_a_huge_picture_is_reduced_band_by_band_and_looks_the_same(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = Image.linear_gradient("L").resize((603, 401))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gradient).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(gradient).astype(np.float32))
    else:
        image = gradient.convert("RGB").convert(mode)
    data = encode(image, "TIFF")
    unreduced = decode_photo(data, REF, min_long_side=150)
    assert unreduced.is_full_size
    monkeypatch.setattr(colour, "_MAX_UNREDUCED_PIXELS", 10_000)
    monkeypatch.setattr(colour, "_BAND_PIXELS", 20_000)
    reduced = decode_photo(data, REF, min_long_side=150)
    assert reduced.pixels.shape == (101, 151, 3) and reduced.full_size == (603, 401)
    expected = np.asarray(Image.fromarray(unreduced.pixels).reduce(4)).astype(int)
    assert np.abs(reduced.pixels.astype(int) - expected).max() <= 2
    assert decode_photo(data, REF).is_full_size
