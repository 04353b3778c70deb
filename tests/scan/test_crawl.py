from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceclust.files.names import ALBUMS_MARKER
from faceclust.scan import crawl as crawling
from faceclust.scan.crawl import crawl
from tests.support.photo_files import draw_scene, encode_image


def write_files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def list_photos(root: Path, start: str = "") -> list[str]:
    return [photo.rel_path for folder in crawl(root, start) for photo in folder.photos]


def test_photos_are_sorted_and_have_size_and_time(tmp_path: Path) -> None:
    write_files(tmp_path, "b/2.JPG", "b/1.heic", "a.png", "B/3.avif", "c.tif", "notes.txt", "clip.mp4", "noending")
    assert list_photos(tmp_path) == ["a.png", "c.tif", "B/3.avif", "b/1.heic", "b/2.JPG"]
    photo = next(iter(crawl(tmp_path))).photos[0]
    status = (tmp_path / "a.png").stat()
    assert (photo.size, photo.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_hidden_and_system_folders_are_skipped(tmp_path: Path) -> None:
    write_files(
        tmp_path, "ok/1.jpg", ".Trash/1.jpg", "ok/@eaDir/1.jpg", ".thumbnails/1.jpg", "$RECYCLE.BIN/1.jpg", "ok/._1.jpg"
    )
    assert list_photos(tmp_path) == ["ok/1.jpg"]


def test_albums_made_by_faceclust_are_skipped(tmp_path: Path) -> None:
    write_files(tmp_path, "1.jpg", f"People/{ALBUMS_MARKER}", "People/Anna/1.jpg")
    assert list_photos(tmp_path) == ["1.jpg"]


def test_symlinks_are_not_followed(tmp_path: Path) -> None:
    library, outside = tmp_path / "library", tmp_path / "outside"
    write_files(library, "sub/1.jpg")
    write_files(outside, "2.jpg")
    (library / "out").symlink_to(outside)
    (library / "sub/circle").symlink_to(library)
    (library / "2.jpg").symlink_to(outside / "2.jpg")
    (library / "gone.jpg").symlink_to(tmp_path / "nothing")
    assert list_photos(library) == ["sub/1.jpg"]


def test_folders_and_pipes_are_not_photos(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    write_files(tmp_path, "folder.jpg/inside.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
    assert list_photos(tmp_path) == ["folder.jpg/inside.jpg"]


def test_a_crawl_may_start_below_the_root(tmp_path: Path) -> None:
    write_files(tmp_path, "a/1.jpg", "b/c/2.jpg")
    assert list_photos(tmp_path, "b") == ["b/c/2.jpg"]


def test_photos_without_an_extension_are_detected_by_content(tmp_path: Path) -> None:
    write_files(tmp_path, "README", "notes.txt", "Makefile", ".hidden")
    data = encode_image(draw_scene(), "JPEG")
    for name in ("a", "IMG_1", "photo.1", "12.5 km", "film.mp4", "text.txt", ".b"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "video").write_bytes(b"\0\0\0\x20ftypisom" + bytes(20))
    (tmp_path / "empty").touch()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    assert list_photos(tmp_path) == ["12.5 km", "IMG_1", "a", "photo.1"]


def test_only_files_without_an_extension_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, "a.jpg", "b", "c.txt", "sub/d", "sub/e.cr2")
    opened: list[str] = []

    def is_photo_file(path: Path) -> bool:
        opened.append(path.name)
        return path.name == "d"

    monkeypatch.setattr(crawling, "is_photo_file", is_photo_file)
    assert (list_photos(tmp_path), opened) == (["a.jpg", "sub/d", "sub/e.cr2"], ["b", "d"])


@pytest.mark.skipif(os.name != "posix", reason="POSIX names")
def test_files_with_unusual_names_are_found(tmp_path: Path) -> None:
    names = [b"two\nlines.jpg", b"n" * 251 + b".jpg", "😀.jpg".encode(), b"not utf-8 \xff.jpg", b" .jpg"]
    for name in names:
        try:
            (tmp_path / os.fsdecode(name)).write_bytes(b"x")
        except OSError:
            pytest.skip("this file system does not allow such names")
    assert sorted(map(os.fsencode, list_photos(tmp_path))) == sorted(names)


def test_a_folder_that_cannot_be_listed_has_an_error(tmp_path: Path) -> None:
    folders = {folder.rel_path: folder for folder in crawl(tmp_path, "missing")}
    assert folders["missing"].error
    with pytest.raises(KeyError):
        folders["missing/below"]
