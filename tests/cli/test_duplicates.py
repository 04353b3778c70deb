"""The command `faceclust duplicates`, with copies and bursts of real faces."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from faceclust import Library
from faceclust.library.duplicates import SAME_BYTES, SAME_MOMENT_AND_FACES, _are_of_one_series, _split_name
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, join_images, make_variant, save_photo

NOON = datetime(2020, 1, 1, 12)


def shake(image: Image.Image, pixels: int, seed: int) -> Image.Image:
    """Return the next shot of a burst: the picture has moved, and its noise is another."""
    moved = np.roll(np.asarray(image), pixels, axis=1).astype(int)
    noise = np.random.default_rng(seed).normal(0, 3, moved.shape)
    return Image.fromarray(np.clip(moved + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with versions of one picture, a burst, and other photos of the same second and people."""
    root = tmp_path_factory.mktemp("duplicates") / "photos"
    picture = join_images(make_variant(COLLINS, 2), make_variant(HOPPER, 4))
    half = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3), Image.Resampling.LANCZOS)
    save_photo(picture, root / "a/IMG_0001.jpg", taken=NOON)
    save_photo(half, root / "small/party.webp", taken=NOON)
    save_photo(ImageEnhance.Brightness(picture).enhance(1.2), root / "a/IMG_0001-edited.jpg", taken=NOON)
    save_photo(ImageOps.grayscale(picture).convert("RGB"), root / "grey/IMG_E0001.png", taken=NOON)
    save_photo(picture.rotate(90, expand=True), root / "turned/IMG_0001.jpg", taken=NOON)
    shutil.copy2(root / "small/party.webp", root / "small/party (1).webp")
    os.utime(root / "small/party (1).webp", ns=(2 * 10**18, 2 * 10**18))
    # Shots of a burst: a number in the name, or faces that moved.
    save_photo(shake(picture, 2, 1), root / "a/IMG_0002.jpg", taken=NOON)
    save_photo(shake(picture, 40, 2), root / "a/moved.jpg", taken=NOON)
    # Not the same picture: another second, a part of it, another person at the place.
    save_photo(half, root / "later.jpg", taken=NOON.replace(second=1))
    save_photo(picture.crop((0, 0, make_variant(COLLINS, 2).width, picture.height)), root / "cropped.jpg", taken=NOON)
    save_photo(join_images(make_variant(HOPPER, 2), make_variant(COLLINS, 4)), root / "others.jpg", taken=NOON)
    Library(root).scan(workers=0)
    return root


def names(root: Path, *options: str) -> list[list[str]]:
    record = json.loads(run_checked("duplicates", "--json", *options, "-l", root))
    return [[photo["photo"] for photo in one["photos"]] for one in record["sets"]]


def test_versions_of_a_picture_are_listed_and_bursts_are_not(scanned: Path) -> None:
    (found,) = names(scanned)
    assert found[0] == "a/IMG_0001.jpg"  # of the full size, with a camera, and the shortest path
    assert found[-2:] == ["small/party.webp", "small/party (1).webp"]  # the older file first
    assert set(found[1:-2]) == {"turned/IMG_0001.jpg", "a/IMG_0001-edited.jpg", "grey/IMG_E0001.png"}


def test_same_bytes_alone(scanned: Path) -> None:
    assert names(scanned, "--bytes") == [["small/party.webp", "small/party (1).webp"]]
    (one,) = json.loads(run_checked("duplicates", "--json", "--bytes", "-l", scanned))["sets"]
    first = one["photos"][0]
    assert one["reason"] == SAME_BYTES and first["path"] == str(scanned / "small/party.webp")
    assert first["bytes"] == (scanned / "small/party.webp").stat().st_size and first["taken_at"] == NOON.isoformat()
    with Image.open(scanned / "small/party.webp") as image:
        assert (first["width"], first["height"]) == image.size
    (one,) = json.loads(run_checked("duplicates", "--json", "-l", scanned))["sets"]
    assert one["reason"] == SAME_MOMENT_AND_FACES and len({photo["photo_hash"] for photo in one["photos"]}) == 5


def test_sets_end_with_an_empty_line_or_path(scanned: Path) -> None:
    done = run("duplicates", "--bytes", cwd=scanned)
    assert done.returncode == 0 and done.stdout == "small/party.webp\nsmall/party (1).webp\n\n"
    assert "1 set (1 with the same bytes); 1 photo beside the first ones" in done.stderr
    assert "nothing was deleted" in done.stderr
    assert run_checked("duplicates", "--bytes", "-0", cwd=scanned) == "small/party.webp\0small/party (1).webp\0\0"
    assert run_checked("duplicates", "--bytes", "-0", "--omit-first", cwd=scanned) == "small/party (1).webp\0"
    assert run_checked("duplicates", "--bytes", "--omit-first", cwd=scanned) == "small/party (1).webp\n"


def test_a_folder_limits_the_photos(scanned: Path) -> None:
    (found,) = names(scanned, "--folder", str(scanned / "a"))
    assert found == ["a/IMG_0001.jpg", "a/IMG_0001-edited.jpg"]
    done = run("duplicates", "--folder", scanned / "turned", "-l", scanned)
    assert done.returncode == 1 and "no two photos" in done.stderr and not done.stdout
    empty = json.loads(run("duplicates", "--folder", scanned / "turned", "-l", scanned, "--json").stdout)
    assert empty == {"library": str(scanned), "sets": []}


def test_no_photo_is_read_or_changed(scanned: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(scanned, copy)
    for photo in [path for path in copy.rglob("*") if path.suffix in (".jpg", ".webp", ".png")]:
        photo.unlink()
    before = sorted(copy.rglob("*"))
    assert names(copy) == names(scanned) and sorted(copy.rglob("*")) == before


def test_options_that_exclude_each_other(scanned: Path) -> None:
    for option in ("-0", "--omit-first"):
        done = run("duplicates", "--json", option, "-l", scanned)
        assert done.returncode == 2 and "--json cannot be combined" in done.stderr


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("IMG_0001.jpg", "x/IMG_0002.jpg", True),
        ("20190517_140322_001.jpg", "20190517_140322_002.jpg", True),
        ("PXL_20190517_140322123.jpg", "PXL_20190517_140322456.jpg", True),
        ("IMG_0001-edited.jpg", "IMG_0002.jpg", True),
        ("IMG_E0001.jpg", "IMG_0002.jpg", True),
        ("IMG_E0001.jpg", "IMG_0001.heic", False),
        ("IMG_0001.jpg", "IMG_0001 (1).jpg", False),
        ("party.jpg", "party-2.jpg", False),
        ("IMG_0001.jpg", "party.jpg", False),
        ("a.jpg", "b.jpg", False),
    ],
)
def test_the_names_of_a_series_differ_in_a_number(one: str, other: str, expected: bool) -> None:
    assert _are_of_one_series(_split_name(one), _split_name(other)) == expected
    assert _are_of_one_series(_split_name(other), _split_name(one)) == expected
