from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.photos.thumbnails import THUMBNAIL_SIDE, is_thumbnail, make_face_thumbnails
from faceclust.types import FaceOccurrence


def occurrence(
    photo: str, box: tuple[float, float, float, float], size: tuple[int, int], face_id: str = "0" * 16
) -> FaceOccurrence:
    return FaceOccurrence(face_id, photo, "hash", box, size, 1.0, 1.0, None)


def test_the_face_is_in_the_middle_of_its_thumbnail(tmp_path: Path) -> None:
    pixels = np.zeros((1200, 1600, 3), np.uint8)
    pixels[300:500, 1000:1200] = (250, 30, 30)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, exif=_tagged())
    ((face_id, jpeg),) = make_face_thumbnails(
        tmp_path, [occurrence("a.jpg", (1000 / 1600, 300 / 1200, 1200 / 1600, 500 / 1200), (1600, 1200))]
    )
    with Image.open(io.BytesIO(jpeg)) as picture:
        assert picture.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        assert not picture.getexif()
        red = np.asarray(picture)[:, :, 0] > 128
    rows, columns = np.nonzero(red)
    assert abs(rows.mean() - THUMBNAIL_SIDE / 2) < 2 and abs(columns.mean() - THUMBNAIL_SIDE / 2) < 2
    assert 0.5 < red.any(axis=0).mean() < 0.75
    assert face_id == "0" * 16


def test_faces_at_the_edge_have_thumbnails_and_missing_photos_do_not(tmp_path: Path) -> None:
    Image.new("RGB", (300, 130), "white").save(tmp_path / "strip.png")
    occurrences = [
        occurrence("strip.png", (0.0, 0.0, 0.1, 1.0), (300, 130), "a" * 16),
        occurrence("strip.png", (0.95, 0.5, 1.0, 1.0), (300, 130), "b" * 16),
        occurrence("gone.png", (0.1, 0.1, 0.2, 0.2), (300, 130), "c" * 16),
    ]
    assert sorted(dict(make_face_thumbnails(tmp_path, occurrences))) == ["a" * 16, "b" * 16]


def _tagged() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    return exif


def test_only_small_jpegs_are_thumbnails() -> None:
    def encode(side: int, format: str = "JPEG", mode: str = "RGB") -> bytes:
        out = io.BytesIO()
        Image.new(mode, (side, side)).save(out, format)
        return out.getvalue()

    thumbnail = encode(THUMBNAIL_SIDE)
    assert is_thumbnail(thumbnail)
    others = [
        encode(8000),
        encode(THUMBNAIL_SIDE, "PNG"),
        encode(THUMBNAIL_SIDE, "GIF"),
        encode(56),
        encode(160, mode="L"),
    ]
    for content in (*others, thumbnail[:-100], b"", b"<svg onload=alert(1)>", b"\xff\xd8\xff\xe0", b"garbage"):
        assert not is_thumbnail(content)


def test_a_photo_behind_a_link_or_outside_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    Image.new("RGB", (300, 130), "white").save(tmp_path / "outside/private.png")
    root = tmp_path / "library"
    root.mkdir()
    (root / "a.png").symlink_to("../outside/private.png")
    (root / "folder").symlink_to("../outside")
    photos = ("a.png", "folder/private.png", "../outside/private.png", str(tmp_path / "outside/private.png"))
    occurrences = [occurrence(photo, (0.0, 0.0, 0.5, 0.5), (300, 130)) for photo in photos]
    assert list(make_face_thumbnails(root, occurrences)) == []


def test_a_photo_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (300, 130), "white").save(tmp_path / "a.png")
    real = os.open

    def fail(path: str, *arguments: int, dir_fd: int | None = None) -> int:
        if path == "a.png":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, *arguments, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", fail)
    notes: list[str] = []
    places = [occurrence(photo, (0.0, 0.0, 0.5, 0.5), (300, 130)) for photo in ("a.png", "gone.png")]
    assert list(make_face_thumbnails(tmp_path, places, notes.append)) == []
    assert notes == [f"{tmp_path}/a.png cannot be read: Input/output error; its faces have no picture"]
