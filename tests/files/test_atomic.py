"""Atomic writes: the old content or the new, never a mixture, and no temporary file left behind."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from faceclust.errors import CacheError, FaceclustError
from faceclust.files.atomic import write_private_atomically
from faceclust.files.output_files import write_output_atomically, write_own_atomically


def write(path: Path, content: bytes) -> None:
    write_private_atomically(path, lambda stream: stream.write(content))


WRITERS: dict[str, tuple[Callable[[Path, bytes], object], type[Exception]]] = {
    "private": (write, CacheError),
    "output": (lambda path, content: write_output_atomically(path, lambda out: out.write(content)), FaceclustError),
    "own": (write_own_atomically, OSError),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    write_file, error = WRITERS[kind]
    path = tmp_path / "file"
    write_file(path, b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(error, match="No space left"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("writer", [write_private_atomically, write_output_atomically])
def test_an_interrupted_write_leaves_no_temporary_file(
    tmp_path: Path, writer: Callable[[Path, Callable[[BinaryIO], object]], object]
) -> None:
    def interrupt(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer(tmp_path / "file", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_concurrent_writers_of_one_file_do_not_interfere(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write(stream: BinaryIO) -> None:
        stream.write(b"first")
        write_private_atomically(path, lambda other: other.write(b"second"))
        stream.write(b" and last")

    write_private_atomically(path, write)
    assert path.read_bytes() == b"first and last" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and symlinks")
def test_permissions_and_symlinks(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write(link, b"new")
    assert not link.is_symlink() and stat.S_IMODE(link.stat().st_mode) == 0o600
    assert target.read_bytes() == b"old" and stat.S_IMODE(target.stat().st_mode) == 0o640
