"""Folders whose photo files have changed, by comparing listings."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from faceclust.files.names import ALBUMS_MARKER
from faceclust.watch.folder_listings import FolderListings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/1.jpg", "a/b/2.jpg", "c/notes.txt", ".faceclust/thumbs/3.jpg"):
        write(tmp_path / name)
    return tmp_path


@pytest.fixture
def listings(root: Path) -> FolderListings:
    """The listings of the root, after the first look."""
    found = FolderListings(root)
    assert found.refresh() == {"a", "a/b"}
    return found


def write(path: Path, content: bytes = b"x") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_nothing_changed(root: Path, listings: FolderListings) -> None:
    assert listings.refresh() == set()
    assert listings.folders == {"", "a", "a/b", "c"}
    assert listings.look_at([str(root), str(root / "a/1.jpg"), str(root / "a/b")]) == set()


def test_a_new_and_a_growing_and_a_deleted_photo(root: Path, listings: FolderListings) -> None:
    new = write(root / "c/new.jpg")
    assert listings.look_at([new]) == {"c"} and listings.refresh() == set()
    write(root / "c/new.jpg", b"longer")
    assert listings.look_at([new]) == {"c"}
    (root / "c/new.jpg").unlink()
    assert listings.look_at([new]) == {"c"}
    assert listings.look_at([new]) == set()


def test_a_rename_to_a_photo_counts_and_the_unfinished_file_does_not(root: Path, listings: FolderListings) -> None:
    part = write(root / "c/new.jpg.part")
    assert listings.look_at([part]) == set()
    (root / "c/new.jpg.part").rename(root / "c/new.jpg")
    assert listings.look_at([part, str(root / "c/new.jpg")]) == {"c"}


def test_other_files_do_not_count(root: Path, listings: FolderListings) -> None:
    names = ("a/.faceclust.mobilefacenet.parquet", "a/x.txt", "a/1.jpg.xmp", ".faceclust/thumbs/4.jpg", "a/.x/5.jpg")
    assert listings.look_at([write(root / name) for name in names]) == set()
    assert listings.refresh() == set()


def test_a_new_folder_is_searched_although_its_files_had_no_event(root: Path, listings: FolderListings) -> None:
    write(root / "new/below/1.jpg")
    write(root / "new/2.jpg")
    assert listings.look_at([str(root / "new")]) == {"new", "new/below"}
    assert {"new", "new/below"} <= listings.folders


def test_an_event_below_unknown_folders_finds_them(root: Path, listings: FolderListings) -> None:
    assert listings.look_at([write(root / "new/below/1.jpg")]) == {"new/below"}
    assert listings.look_at([str(root / "new/below/gone/far.jpg")]) == set()


def test_an_empty_folder_is_no_change(root: Path, listings: FolderListings) -> None:
    (root / "empty").mkdir()
    assert listings.look_at([str(root / "empty")]) == set() and "empty" in listings.folders
    (root / "empty").rmdir()
    assert listings.look_at([str(root / "empty")]) == set() and "empty" not in listings.folders


def test_a_folder_that_is_moved_or_deleted(root: Path, listings: FolderListings) -> None:
    (root / "a").rename(root / "c/moved.rome")
    assert listings.look_at([str(root / "a"), str(root / "c/moved.rome")]) == {
        *("a", "a/b", "c/moved.rome", "c/moved.rome/b")
    }
    assert listings.folders == {"", "c", "c/moved.rome", "c/moved.rome/b"}
    shutil.rmtree(root / "c/moved.rome")
    assert listings.check(["c/moved.rome"]) == {"c/moved.rome", "c/moved.rome/b"}


def test_folders_that_scans_skip_are_left_out(root: Path, listings: FolderListings) -> None:
    write(root / "albums" / ALBUMS_MARKER)
    outside = root.parent / f"{root.name}-outside"
    write(outside / "1.jpg")
    (root / "link").symlink_to(outside)
    skipped = [write(root / "albums/Anna/1.jpg"), write(root / "x.lrdata/1.jpg"), str(root / "link")]
    assert listings.look_at([*skipped, str(root / "albums"), str(root / "x.lrdata")]) == set()
    assert listings.refresh() == set() and listings.folders == {"", "a", "a/b", "c"}
    assert listings.look_at([str(outside / "1.jpg"), "/elsewhere/1.jpg"]) == set()


def test_a_root_that_is_gone_loses_nothing(root: Path, listings: FolderListings) -> None:
    root.rename(root.parent / f"{root.name}-away")
    assert listings.refresh() == set() and "a/b" in listings.folders
    (root.parent / f"{root.name}-away").rename(root)
    assert listings.refresh() == set()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs permissions")
def test_a_folder_that_cannot_be_listed_keeps_its_photos(root: Path, listings: FolderListings) -> None:
    (root / "a").chmod(0)
    try:
        assert listings.refresh() == set() and "a/b" in listings.folders
    finally:
        (root / "a").chmod(0o700)
    assert listings.refresh() == set()


def test_an_unreadable_folder_keeps_its_photos(
    root: Path, listings: FolderListings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refuse(path: str) -> object:
        if path == f"{root}/a":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr("faceclust.scan.listing.os.scandir", refuse)
        assert listings.refresh() == set() and {"a", "a/b"} <= listings.folders
    assert listings.refresh() == set()


def test_a_new_video_is_a_change_if_scans_look_at_videos(tmp_path: Path) -> None:
    with_videos, without = FolderListings(tmp_path, videos=lambda: True), FolderListings(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"0")
    assert with_videos.refresh() == {""} and without.refresh() == set()
