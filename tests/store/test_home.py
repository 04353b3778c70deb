"""The note of the last scan may contain anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.library.maintenance import clear_caches, plan_clear
from faceclust.scan.listing import list_folders
from faceclust.store.home import LibraryHome
from tests.support.command import run_checked


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"\xff\xfe", b"\x1b]0;OWNED\x07", b"9999-99-99 00:00:00", b"0001-01-01 00:00:00+14:00"),
        *(b"2020-01-01 00:00:00+00:00" * 1000, b"9999-12-31 23:59:59-12:00", "２０２０-01-01".encode()),
    ],
)
def test_status_works_whatever_the_time_of_the_last_scan(library: Library, content: bytes) -> None:
    library.home.last_scan_file.write_bytes(content)
    assert library.home.last_scan_time() is None or content.startswith(b"9999")
    assert "last scanned" in run_checked("status", "-l", library.root)
    run_checked("status", "-l", library.root, "--json")


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("kind", ["pipe", "device", "symlink", "folder"])
def test_status_reads_no_other_kind_of_file(library: Library, tmp_path: Path, kind: str) -> None:
    file = library.home.last_scan_file
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        (tmp_path / "time").write_text("2020-01-01 00:00:00+00:00")
        file.symlink_to("/dev/zero" if kind == "device" else tmp_path / "time")
    assert "last scanned never" in run_checked("status", "-l", library.root)


def test_the_time_of_a_scan_is_read_back(tmp_path: Path) -> None:
    home = LibraryHome(tmp_path)
    home.create()
    home.record_scan()
    assert home.last_scan_time() == home.last_scan_file.read_text()
    home.last_scan_file.unlink()
    assert home.last_scan_time() is None


def test_names_are_not_written_into_an_empty_mount_point(library: Library) -> None:
    root, away = library.root, library.root.with_name("away")
    faces = library.faces.face_ids.tolist()
    library.name(faces[:1], "Eileen")
    root.rename(away)
    root.mkdir()
    for write in (
        lambda: library.name(faces[1:2], "Grace"),
        lambda: library.ignore(faces[1:2]),
        library.undo,
        library.cluster,
        lambda: library.scan(workers=0),
    ):
        with pytest.raises(CacheError, match="is not there any more"):
            write()
        assert not list(root.iterdir())
    root.rmdir()
    away.rename(root)
    library.name(faces[1:2], "Grace")
    assert {person.label for person in Library(root).people()} == {"Eileen", "Grace"}


def test_a_library_object_goes_on_after_its_files_are_cleared(library: Library) -> None:
    clear_caches(library, plan_clear(library))
    library.scan(workers=0)
    assert len(library.faces)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits paths to 260 characters")
@pytest.mark.slow
def test_folders_deeper_than_the_recursion_limit_are_walked(tmp_path: Path) -> None:
    home = LibraryHome(tmp_path)
    home.create()
    folders = [tmp_path / "/".join("d" * depth) for depth in range(1, sys.getrecursionlimit() + 100)]
    for folder in folders:
        folder.mkdir()
    try:
        (folders[-1] / ".faceclust.mobilefacenet.parquet").touch()
        assert [path for path, _ in home.cache_files()] == [folders[-1] / ".faceclust.mobilefacenet.parquet"]
        assert not home.nested_libraries() and not home.seems_unmounted()
        assert sum(1 for _ in list_folders(tmp_path)) == len(folders) + 1
    finally:
        (folders[-1] / ".faceclust.mobilefacenet.parquet").unlink(missing_ok=True)
        for folder in reversed(folders):  # pytest's own clean-up is recursive
            folder.rmdir()
