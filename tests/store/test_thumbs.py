"""Thumbnails on disk: only small regular files in their own folder are read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust.errors import CacheError
from faceclust.files.own_files import UnsafeFileError
from faceclust.store.thumbs import ThumbStore

FACE = "0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> ThumbStore:
    return ThumbStore(tmp_path / "thumbs")


def test_a_thumbnail_is_read_back(store: ThumbStore) -> None:
    assert store.get(FACE) is None and list(store.face_ids()) == []
    store.put(FACE, b"jpeg")
    assert store.get(FACE) == b"jpeg" and list(store.face_ids()) == [FACE]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks, pipes and devices")
def test_links_pipes_devices_and_large_files_are_no_thumbnails(store: ThumbStore, tmp_path: Path) -> None:
    store.put(FACE, b"jpeg")
    path = store.path(FACE)
    (tmp_path / "secret").write_bytes(b"secret")
    for make in (
        lambda: path.symlink_to(tmp_path / "secret"),
        lambda: path.symlink_to("/dev/zero"),
        lambda: os.mkfifo(path),
        lambda: path.write_bytes(bytes(100_001)),
    ):
        path.unlink()
        make()
        assert store.get(FACE) is None
        store.put(FACE, b"new")
        assert store.get(FACE) == b"new" and not path.is_symlink()
    assert (tmp_path / "secret").read_bytes() == b"secret"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks")
def test_a_folder_that_is_a_link_is_neither_read_nor_written(store: ThumbStore, tmp_path: Path) -> None:
    store.put(FACE, b"jpeg")
    (tmp_path / "thumbs").rename(tmp_path / "outside")
    (tmp_path / "thumbs").symlink_to("outside")
    assert store.get(FACE) is None
    with pytest.raises(CacheError, match="symlink"):
        store.put(FACE, b"new")
    with pytest.raises(UnsafeFileError):
        list(store.face_ids())
    assert ThumbStore(tmp_path / "outside").get(FACE) == b"jpeg"


@pytest.mark.parametrize("face", ["../../victim", "/etc/passwd", "..", "a/b", "a\0b", "\ud800"])
def test_an_id_that_leads_out_has_no_thumbnail(store: ThumbStore, tmp_path: Path, face: str) -> None:
    assert store.get(face) is None
    with pytest.raises(UnsafeFileError, match="leads out"):
        store.put(face, b"x")
    assert list(tmp_path.iterdir()) == []
