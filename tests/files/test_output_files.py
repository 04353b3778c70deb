"""Outputs: the old content or the new, private, and nothing left behind by killed runs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from faceclust.errors import FaceclustError
from faceclust.files.output_files import (
    file_mode_beside,
    is_abandoned_output,
    is_unfinished_output,
    make_subfolders,
    remove_abandoned_outputs,
    write_output_atomically,
    write_own_atomically,
)
from faceclust.files.own_files import UnsafeFileError

FRONT_ENDS: dict[str, Callable[[Path, bytes], object]] = {
    "output": lambda path, content: write_output_atomically(path, lambda out: out.write(content)),
    "own": write_own_atomically,
}
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions, symlinks and locks")

#: Replaces a file, and kills itself at the event of a given number.
_KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from faceclust.files.output_files import write_output_atomically
path, left = Path(sys.argv[1]), int(sys.argv[2])

def count(event, arguments):
    global left
    if event.startswith(("os.", "test.", "fcntl.")) or (event == "open" and ".tmp" in str(arguments[0])):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

def write(stream):
    stream.write(b"new"); stream.flush(); sys.audit("test.half")
    stream.write(b" content"); sys.audit("test.all")

sys.addaudithook(count)
write_output_atomically(path, write)
left = -1
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix_only
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_killed_write_leaves_the_old_content_or_the_new_and_the_next_one_cleans_up(
    tmp_path: Path, old: bytes | None
) -> None:
    path = tmp_path / "faces.csv"
    killed, leftovers = 0, 0
    for number in range(1, 100):
        if old is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(old)
            path.chmod(0o600)
        done = subprocess.run([sys.executable, "-c", _KILLED_WRITER, path, str(number)], check=False)
        if not done.returncode:
            break
        killed += 1
        content = path.read_bytes() if path.exists() else None
        assert content in (old, b"new content")
        left = [entry for entry in tmp_path.iterdir() if entry != path]
        assert all(is_abandoned_output(entry) and mode_of(entry) == 0o600 for entry in left)
        leftovers += len(left)
        write_output_atomically(tmp_path / "other.csv", lambda stream: stream.write(b"x"))
        (tmp_path / "other.csv").unlink()
        assert [entry for entry in tmp_path.iterdir() if entry != path] == []
    assert killed > 5 and leftovers > 3


def test_an_unfinished_file_is_kept_while_it_is_written(tmp_path: Path) -> None:
    def write(stream: BinaryIO) -> None:
        stream.write(b"first")
        (unfinished,) = [path for path in tmp_path.iterdir() if is_unfinished_output(path.name)]
        assert not is_abandoned_output(unfinished)
        write_output_atomically(tmp_path / "other", lambda other: other.write(b"second"))
        stream.write(b" and last")

    write_output_atomically(tmp_path / "file", write)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "file": b"first and last",
        "other": b"second",
    }


@posix_only
def test_only_abandoned_outputs_are_removed(tmp_path: Path) -> None:
    name = ".faceclust-0123456789abcdef.tmp"
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    names = {".faceclust-0123456789abcde.tmp", ".faceclust.mobilefacenet.parquet.0badcafe.tmp", "photo.jpg", f"x{name}"}
    for other in names - {"photo.jpg"}:
        (tmp_path / other).write_bytes(b"x")
    (tmp_path / name).symlink_to("photo.jpg")
    (tmp_path / name.replace("0123", "aaaa")).mkdir()
    os.mkfifo(tmp_path / name.replace("0123", "bbbb"))
    before = sorted(tmp_path.iterdir())
    remove_abandoned_outputs(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / name.replace("0123", "cccc")).write_bytes(b"half")
    remove_abandoned_outputs(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@posix_only
def test_new_files_are_private_and_existing_ones_keep_their_permissions(tmp_path: Path) -> None:
    for kind, write in FRONT_ENDS.items():
        write(tmp_path / kind, b"new")
        assert mode_of(tmp_path / kind) == 0o600
        (tmp_path / kind).chmod(0o644)
        write(tmp_path / kind, b"newer")
        assert mode_of(tmp_path / kind) == 0o644


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another group")
def test_an_existing_file_keeps_its_group(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    os.chown(path, -1, 65533)
    path.chmod(0o640)
    write_output_atomically(path, lambda stream: stream.write(b"new"))
    assert (path.stat().st_gid, mode_of(path)) == (65533, 0o640)


@posix_only
def test_only_a_link_that_the_user_named_is_written_through(tmp_path: Path) -> None:
    for kind, write in FRONT_ENDS.items():
        target, link = tmp_path / f"{kind}-target", tmp_path / kind
        target.write_bytes(b"old")
        link.symlink_to(target)
        if kind == "own":
            with pytest.raises(UnsafeFileError, match="not a regular file"):
                write(link, b"new")
        else:
            write(link, b"new")
        assert link.is_symlink() and target.read_bytes() == (b"old" if kind == "own" else b"new")


@posix_only
def test_pipes_and_devices_are_written_to_directly(tmp_path: Path) -> None:
    write_output_atomically(Path("/dev/null"), lambda stream: stream.write(b"x"))
    assert Path("/dev/null").is_char_device()
    with pytest.raises(FaceclustError, match="not a regular file"):
        write_output_atomically(tmp_path, lambda stream: stream.write(b"x"))


@posix_only
def test_new_files_and_folders_follow_what_the_user_shared(tmp_path: Path) -> None:
    note, umask = tmp_path / "note.json", os.umask(0o077)
    try:
        assert file_mode_beside(note) == 0o600
        write_own_atomically(note, b"{}")
        tmp_path.chmod(0o700)
        make_subfolders(tmp_path, "a/b")
        note.chmod(0o644)
        (tmp_path / "a").chmod(0o755)
        assert file_mode_beside(note) == 0o644
        make_subfolders(tmp_path, "a/b")
        make_subfolders(tmp_path, "a/c")
    finally:
        os.umask(umask)
    assert [mode_of(tmp_path / path) for path in ("a/b", "a/c")] == [0o700, 0o755]
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(UnsafeFileError):
        make_subfolders(tmp_path, "link/d")
