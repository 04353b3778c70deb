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
from faceclust.types import Photo, PhotoRef
from tests.support.photo_files import (
    UPRIGHT_CORNERS,
    build_cmyk_profile,
    build_wide_gamut_profile,
    draw_scene,
    encode_animation,
    encode_cmyk_jpeg,
    encode_image,
    name_corner_colours,
)
from tests.support.sample_photos import COLLINS, load_portrait

REF = PhotoRef("photo", 1, 1)


def decode(data: bytes) -> np.ndarray:
    return decode_photo(data, REF).pixels.astype(int)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_wide_gamut_colours_are_converted_to_srgb(format: str) -> None:
    # In Adobe RGB (128, 128, 128) is the same grey and (100, 180, 60) a green beyond sRGB.
    grey, green = Image.new("RGB", (160, 128), (128, 128, 128)), Image.new("RGB", (160, 128), (100, 180, 60))
    assert decode(encode_image(grey, format, icc_profile=build_wide_gamut_profile()))[64, 80] == pytest.approx(
        [128] * 3, abs=3
    )
    assert decode(encode_image(green, format, icc_profile=build_wide_gamut_profile()))[64, 80] == pytest.approx(
        [0, 181, 41], abs=4
    )
    assert decode(encode_image(green, format))[64, 80] == pytest.approx([100, 180, 60], abs=4)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "AVIF"])
def test_colours_with_tones_near_srgbs_may_be_converted_later(format: str) -> None:
    def decode_both(profile: bytes) -> tuple[Photo, Photo]:
        data = encode_image(load_portrait(COLLINS), format, icc_profile=profile)
        return decode_photo(data, REF), decode_photo(data, REF, convert_colours=False)

    converted, kept = decode_both(build_wide_gamut_profile())
    assert converted.icc_profile is None and kept.icc_profile == build_wide_gamut_profile()
    assert np.abs(kept.pixels.astype(int) - converted.pixels).max() > 20
    np.testing.assert_array_equal(colour.convert_to_srgb(kept.pixels, kept.icc_profile), converted.pixels)
    for profile in (build_wide_gamut_profile(gamma=1.0), build_cmyk_profile()):  # linear light looks dark
        converted, kept = decode_both(profile)
        assert kept.icc_profile is None
        np.testing.assert_array_equal(kept.pixels, converted.pixels)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile(format: str) -> None:
    inks = Image.new("CMYK", (160, 128), (255, 0, 0, 0))
    assert decode(encode_image(inks, format, icc_profile=build_cmyk_profile()))[9, 9] == pytest.approx(
        [254, 0, 0], abs=9
    )
    assert decode(encode_image(inks, format))[9, 9] == pytest.approx([0, 255, 255], abs=4)


@pytest.mark.parametrize(
    "profile",
    [
        b"x" * 200,
        build_wide_gamut_profile()[:300],
        build_wide_gamut_profile().replace(b"rXYZ", b"xxxx"),
        build_wide_gamut_profile().replace(b"RGB ", b"CMYK"),
        build_cmyk_profile(),
    ],
)
def test_invalid_and_mismatched_profiles_are_ignored(profile: bytes) -> None:
    for image in (draw_scene(), draw_scene().convert("L"), draw_scene().convert("RGBA")):
        plain = decode(encode_image(image, "PNG"))
        np.testing.assert_array_equal(decode(encode_image(image, "PNG", icc_profile=profile)), plain)


def test_adobe_cmyk_and_ycck_jpegs_are_decoded() -> None:
    assert name_corner_colours(decode(encode_cmyk_jpeg(draw_scene(), quality=95))) == UPRIGHT_CORNERS
    inverted = 255 - np.asarray(draw_scene().convert("CMYK"))
    ycck = imagecodecs.jpeg8_encode(inverted, colorspace="CMYK", outcolorspace="YCCK", level=95)
    assert b"Adobe" in ycck and name_corner_colours(decode(bytes(ycck))) == UPRIGHT_CORNERS


def test_progressive_jpegs_stereo_pairs_and_animations_are_decoded() -> None:
    assert name_corner_colours(decode(encode_image(draw_scene(), "JPEG", progressive=True))) == UPRIGHT_CORNERS
    mpo = encode_image(draw_scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (192, 128))])
    assert name_corner_colours(decode(mpo)) == UPRIGHT_CORNERS
    assert (
        name_corner_colours(decode(encode_animation(draw_scene(), "PNG")))
        == name_corner_colours(decode(encode_animation(draw_scene(), "WEBP")))
        == UPRIGHT_CORNERS
    )


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("photometric", ["rgb", "separated", "minisblack"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_tiffs_of_every_depth_are_decoded(compression: str | None, photometric: str, depth: type) -> None:
    mode = {"rgb": "RGB", "separated": "CMYK", "minisblack": "L"}[photometric]
    values = np.asarray(draw_scene().convert(mode)).astype(depth)
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
        pages = encode_image(
            draw_scene(), "TIFF", save_all=True, append_images=[Image.new("RGB", (99, 99))], compression=compression
        )
        assert name_corner_colours(decode(pages)) == UPRIGHT_CORNERS


def test_a_png_with_16_bits_per_channel_is_decoded() -> None:
    values = np.asarray(draw_scene()).astype(np.uint16) * 257
    assert name_corner_colours(decode(bytes(imagecodecs.png_encode(values)))) == UPRIGHT_CORNERS


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "F", "1"])
def test_a_huge_picture_is_reduced_band_by_band_and_looks_the_same(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = Image.linear_gradient("L").resize((603, 401))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gradient).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(gradient).astype(np.float32))
    else:
        image = gradient.convert("RGB").convert(mode)
    data = encode_image(image, "TIFF")
    unreduced = decode_photo(data, REF, min_long_side=150)
    assert unreduced.is_full_size
    monkeypatch.setattr(colour, "_MAX_UNREDUCED_PIXELS", 10_000)
    monkeypatch.setattr(colour, "_BAND_PIXELS", 20_000)
    reduced = decode_photo(data, REF, min_long_side=150)
    assert reduced.pixels.shape == (101, 151, 3) and reduced.full_size == (603, 401)
    expected = np.asarray(Image.fromarray(unreduced.pixels).reduce(4)).astype(int)
    assert np.abs(reduced.pixels.astype(int) - expected).max() <= 2
    assert decode_photo(data, REF).is_full_size
