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
from faceclust.files.atomic import write_output_atomically, write_own_atomically, write_private_atomically

FRONT_ENDS: dict[str, tuple[Callable[[Path, bytes], object], type[Exception]]] = {
    "private": (lambda path, content: write_private_atomically(path, lambda out: out.write(content)), CacheError),
    "output": (lambda path, content: write_output_atomically(path, lambda out: out.write(content)), FaceclustError),
    "own": (write_own_atomically, OSError),
}


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    write, error = FRONT_ENDS[kind]
    path = tmp_path / "file"
    write(path, b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(error, match="No space left"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    def interrupt(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    for write in (write_private_atomically, write_output_atomically):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "file", interrupt)
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
    targets = {}
    for kind, (write, _) in FRONT_ENDS.items():
        target, link = tmp_path / f"{kind}-target", tmp_path / kind
        target.write_bytes(b"old")
        target.chmod(0o640)
        link.symlink_to(target)
        write(link, b"new")
        targets[kind] = (link.is_symlink(), target.read_bytes(), stat.S_IMODE(link.stat().st_mode))
    usual = 0o666 & ~umask()
    assert targets == {
        "private": (False, b"old", 0o600),
        "output": (True, b"new", 0o640),
        "own": (False, b"old", usual),
    }


def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_own_files_clear_what_a_killed_run_left(tmp_path: Path) -> None:
    leftover, other = tmp_path / "file.0123456789abcdef.tmp", tmp_path / "file.notes.tmp"
    for path in (leftover, other):
        path.write_bytes(b"half")
    write_own_atomically(tmp_path / "file", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "file.notes.tmp"]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_output_to_a_device_is_written_directly() -> None:
    write_output_atomically(Path("/dev/null"), lambda stream: stream.write(b"x"))
    assert Path("/dev/null").is_char_device()
