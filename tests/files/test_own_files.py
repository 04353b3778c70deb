"""Faceclust's own files in a hostile folder: no symlink is followed, only regular files are opened."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust.errors import CacheError
from faceclust.files.atomic import make_private_folder, remove_file, write_private_atomically
from faceclust.files.own_files import (
    UnsafeFileError,
    is_own_folder,
    list_own,
    open_own,
    own_exists,
    read_own,
    remove_own,
    remove_own_folder,
    rename_own,
    stat_own,
    walk_own,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="symlinks and pipes")

READERS: dict[str, Callable[[Path], object]] = {
    "open": open_own,
    "read": lambda path: read_own(path, 100),
    "exists": own_exists,
    "single link": lambda path: open_own(path, os.O_WRONLY | os.O_APPEND, single_link=True),
    "create": lambda path: open_own(path, os.O_WRONLY | os.O_CREAT),
}
#: Operations on a file called "file" in a folder that may be a symlink.
OPERATIONS: dict[str, Callable[[Path], object]] = {
    **READERS,
    "stat": stat_own,
    "remove": remove_own,
    "remove folder": remove_own_folder,
    "rename": lambda path: rename_own(path, path.with_name("other")),
    "rename to": lambda path: rename_own(path.parents[1] / "mine", path),
    "list": lambda path: list_own(path.parent),
    "walk": lambda path: list(walk_own(path.parent)),
    "folder": lambda path: is_own_folder(path.parent),
    "remove_file": remove_file,
    "write": lambda path: write_private_atomically(path, lambda stream: stream.write(b"new")),
    "make folder": lambda path: make_private_folder(path.with_name("new")),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder outside of the library, with a file."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "file").write_bytes(b"secret")
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "mine").write_bytes(b"mine")
    return folder


def snapshot(folder: Path) -> list[tuple[str, int, int, bytes]]:
    entries = [folder, *sorted(folder.rglob("*"))]
    return [
        (str(path), status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in entries
        if (status := path.lstat())
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("inner", ["", "deeper"])
def test_a_linked_folder_is_never_entered(victim: Path, operation: str, inner: str) -> None:
    link = victim.parent / "library" / "link"
    link.symlink_to(victim)
    if inner:
        (victim / inner).mkdir()
        (victim / inner / "file").write_bytes(b"secret")
    before = snapshot(victim)
    with pytest.raises((UnsafeFileError, CacheError), match="it is a symlink"):
        OPERATIONS[operation](link / inner / "file")
    assert snapshot(victim) == before


@pytest.mark.parametrize("operation", READERS)
@pytest.mark.parametrize("kind", ["symlink", "dangling", "pipe", "folder"])
def test_only_regular_files_are_opened(victim: Path, operation: str, kind: str) -> None:
    path = victim.parent / "library" / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(victim / ("file" if kind == "symlink" else "missing"))
    before = snapshot(victim)
    with pytest.raises(UnsafeFileError, match="not a regular file") as caught:
        READERS[operation](path)
    assert caught.value.filename == str(path) and snapshot(victim) == before


def test_a_link_is_replaced_renamed_and_deleted_itself(victim: Path) -> None:
    before, folder = snapshot(victim), victim.parent / "library"
    for name in ("replaced", "renamed", "deleted"):
        (folder / name).symlink_to(victim / "file")
    write_private_atomically(folder / "replaced", lambda stream: stream.write(b"new"))
    rename_own(folder / "renamed", folder / "elsewhere")
    remove_own(folder / "deleted")
    assert (folder / "replaced").read_bytes() == b"new" and not (folder / "replaced").is_symlink()
    assert (folder / "elsewhere").readlink() == victim / "file"
    assert list_own(folder) == ["elsewhere", "mine", "replaced"] and snapshot(victim) == before


def test_a_file_with_several_links_is_read_but_not_written(victim: Path) -> None:
    path = victim.parent / "library" / "file"
    path.hardlink_to(victim / "file")
    mode = (victim / "file").stat().st_mode
    for flags in (os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT):
        with pytest.raises(UnsafeFileError, match="several hard links"):
            open_own(path, flags, single_link=True)
    assert (victim / "file").stat().st_mode == mode
    assert read_own(path, 6) == b"secret"
    with pytest.raises(UnsafeFileError, match="larger than 5 bytes"):
        read_own(path, 5)


def test_a_parent_that_is_dotdot_is_refused(victim: Path) -> None:
    with pytest.raises(UnsafeFileError, match=r"\.\."):
        read_own(victim.parent / "library" / ".." / "victim" / "file", 100)


def test_only_what_is_not_there_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "file"
    assert stat_own(missing) is None and not own_exists(missing) and not is_own_folder(missing)
    assert list_own(missing) == [] and list(walk_own(missing)) == []
    remove_own(missing)
    with pytest.raises(FileNotFoundError) as caught:
        read_own(missing, 100)
    assert caught.value.filename is not None and str(tmp_path / "missing") in caught.value.filename
    (tmp_path / "missing").write_bytes(b"a file")
    for operation in (stat_own, own_exists, is_own_folder, list_own, remove_own):
        with pytest.raises(UnsafeFileError, match="it is a file, not a folder"):
            operation(missing)


@pytest.mark.parametrize("operation", ["stat", "exists", "read", "list", "walk", "remove"])
def test_a_fault_of_the_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    def fail(*args: object, **options: object) -> int:
        raise OSError(5, "Input/output error")

    (tmp_path / "file").write_bytes(b"mine")
    for name in ("open", "stat", "scandir", "unlink"):
        monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="Input/output error"):
        OPERATIONS[operation](tmp_path / "file")


def test_new_files_and_folders_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        os.close(open_own(make_private_folder(tmp_path / "a" / "b") / "file", os.O_WRONLY | os.O_CREAT))
        write_private_atomically(tmp_path / "a" / "written", lambda stream: stream.write(b"new"))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}
    assert modes == {"b": 0o700, "file": 0o600, "written": 0o600}


def test_a_walk_ends_where_paths_do(tmp_path: Path) -> None:
    depth, name, descriptor = 20, "d" * 250, os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    found = [folder for folder, _, _ in walk_own(tmp_path)]
    assert len(found) < depth and 4096 - 251 <= len(str(found[-1])) < 4096
    for number in reversed(range(1, depth + 1)):
        remove_own_folder(tmp_path.joinpath(*[name] * number))
    assert list_own(tmp_path) == []


def test_a_walk_skips_the_folders_taken_out(tmp_path: Path) -> None:
    for name in ("a/x", "b/y", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    seen = []
    for path, folders, others in walk_own(tmp_path):
        seen.append((path.relative_to(tmp_path).as_posix(), others))
        if "b" in folders:
            folders.remove("b")
    assert seen == [(".", ["link"]), ("a", []), ("a/x", []), ("c", [])]
