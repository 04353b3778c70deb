"""A file is read only once its beginning says that it is a photo, and only if it is a file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust.photos import reading
from faceclust.photos.errors import UndecodableError
from faceclust.photos.reading import HEAD_BYTES, MAX_BYTES, read_head, read_photo
from faceclust.types import PhotoRef, SkipReason
from tests.support.photo_files import encode, scene

REF = PhotoRef("photo", 1, 1)
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


def refused(path: Path) -> UndecodableError:
    with pytest.raises(UndecodableError) as failure:
        read_photo(path, REF)
    return failure.value


def test_the_bytes_come_with_the_size_and_time_they_have_now(tmp_path: Path) -> None:
    data = encode(scene(), "PNG")
    (tmp_path / "a.jpg").write_bytes(data)
    os.utime(tmp_path / "a.jpg", ns=(5, 10**18 + 7))
    status = (tmp_path / "a.jpg").stat()
    assert read_photo(tmp_path / "a.jpg", REF) == (data, PhotoRef("photo", len(data), status.st_mtime_ns))


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert refused(tmp_path / "empty.jpg").reason is SkipReason.EMPTY
    with pytest.raises(FileNotFoundError):
        read_photo(tmp_path / "gone.jpg", REF)


@posix
def test_pipes_sockets_devices_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refused(tmp_path / "pipe.jpg").reason is SkipReason.NOT_A_PHOTO
    assert refused(Path("/dev/zero")).reason is SkipReason.NOT_A_PHOTO
    assert refused(tmp_path).reason is SkipReason.NOT_A_PHOTO
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.jpg"))
        with pytest.raises(OSError):
            read_photo(tmp_path / "s.jpg", REF)
    assert read_head(tmp_path / "pipe.jpg") == read_head(Path("/dev/zero")) == b""
    with pytest.raises(FileNotFoundError):
        read_head(tmp_path / "gone")


@posix
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(scene(), "PNG"))
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    for name in ("link.png", "circle.png"):
        with pytest.raises(OSError):
            read_photo(tmp_path / name, REF)


@posix
def test_of_what_is_no_photo_only_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = tmp_path / "vast.jpg"
    sparse.touch()
    os.truncate(sparse, 1 << 40)
    (tmp_path / "film.jpg").write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    read: list[int] = []
    real = os.read

    def counted(file: int, count: int) -> bytes:
        read.append(count)
        return real(file, count)

    monkeypatch.setattr(reading.os, "read", counted)
    assert refused(sparse).reason is SkipReason.NOT_A_PHOTO
    assert str(refused(tmp_path / "film.jpg")) == "it is an MP4 video"
    with sparse.open("r+b") as file:
        file.write(b"\xff\xd8\xff\xe0")
    too_large = refused(sparse)
    assert too_large.reason is SkipReason.TOO_LARGE and f"{MAX_BYTES:,}" in str(too_large)
    assert sum(read) == 3 * HEAD_BYTES


@posix
@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 10_000), lambda path: os.utime(path, ns=(1, 1))])
def test_a_file_that_changes_meanwhile_is_left_for_the_next_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.bmp"
    path.write_bytes(encode(scene(), "BMP"))
    real = os.read

    def meanwhile(file: int, count: int) -> bytes:
        data = real(file, count)
        change(path)
        return data

    monkeypatch.setattr(reading.os, "read", meanwhile)
    error = refused(path)
    assert error.reason is SkipReason.UNREADABLE and "changed" in str(error)


@posix
@pytest.mark.parametrize(
    "name",
    [b"not utf-8 \xff\xfe.png", b"two\nlines.png", b"n" * 251 + b".png", "😀 fête.png".encode(), b" .png", b"-rf.png"],
)
def test_any_name_will_do(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(encode(scene(), "PNG"))
    except OSError:
        pytest.skip("this disk takes no such name")
    assert read_photo(path, REF)[0] == path.read_bytes()


@posix
def test_no_permission_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(scene(), "PNG"))
    path.chmod(0)
    tmp_path.chmod(0o755)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            read_photo(path, REF)
        with pytest.raises(PermissionError):
            read_head(path)
    finally:
        os.seteuid(was)
