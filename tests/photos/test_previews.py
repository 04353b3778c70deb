from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.photos.previews import PREVIEW_SIDE, make_preview
from tests.support.photo_files import UPRIGHT_CORNERS, build_wide_gamut_profile, draw_scene, name_corner_colours
from tests.support.sample_photos import COLLINS, load_portrait, save_photo


def show(root: Path, photo: str) -> Image.Image:
    preview = make_preview(root, photo)
    assert preview is not None
    picture = Image.open(io.BytesIO(preview), formats=("JPEG",))
    assert picture.mode == "RGB" and not picture.getexif() and "icc_profile" not in picture.info
    return picture


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((192, 128), (192, 128)),
        ((4000, 1000), (PREVIEW_SIDE, 500)),
        ((1500, 3000), (1000, PREVIEW_SIDE)),
        ((2001, 140), (PREVIEW_SIDE, 140)),
        ((20_000, 130), (PREVIEW_SIDE, 13)),
    ],
)
def test_a_large_photo_is_reduced_and_a_small_one_is_not_enlarged(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    Image.new("RGB", size, "white").save(tmp_path / "a.jpg")
    assert show(tmp_path, "a.jpg").size == expected


def test_a_turned_photo_is_upright(tmp_path: Path) -> None:
    save_photo(draw_scene().transpose(Image.Transpose.ROTATE_90), tmp_path / "a.jpg", orientation=6)
    assert name_corner_colours(np.asarray(show(tmp_path, "a.jpg"))) == UPRIGHT_CORNERS


def test_a_heic_photo_is_shown(tmp_path: Path) -> None:
    save_photo(load_portrait(COLLINS), tmp_path / "a.heic")
    difference = np.asarray(show(tmp_path, "a.heic")).astype(int) - np.asarray(load_portrait(COLLINS))
    assert np.abs(difference).mean() < 6


def test_colours_are_converted_to_srgb(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), (120, 200, 120)).save(
        tmp_path / "a.png", icc_profile=build_wide_gamut_profile(), quality=95
    )
    red, green, blue = np.asarray(show(tmp_path, "a.png")).mean(axis=(0, 1))
    assert red < 100 and green > 195 and abs(blue - 120) < 12  # the same colour has less red in sRGB


def test_what_is_no_photo_of_the_library_is_not_shown(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    draw_scene().save(outside / "private.png")
    root = tmp_path / "library"
    root.mkdir()
    (root / "a.png").symlink_to("../outside/private.png")
    (root / "folder").symlink_to("../outside")
    (root / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    (root / "c.jpg").write_text("<svg onload=alert(1)>")
    photos = ("a.png", "folder/private.png", "../outside/private.png", f"{outside}/private.png", "b.png", "c.jpg")
    assert [make_preview(root, photo) for photo in (*photos, "missing.jpg", "", "a\0b")] == [None] * 9
