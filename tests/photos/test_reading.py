"""Files are read only if they are regular files that begin like a photo."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust.files.own_files import UnsafeFileError
from faceclust.photos import reading
from faceclust.photos.errors import UndecodableError
from faceclust.photos.reading import HEAD_BYTES, MAX_BYTES, open_photo, read_head, read_photo
from faceclust.types import PhotoRef, SkipReason
from tests.support.photo_files import draw_scene, encode_image

REF = PhotoRef("photo", 1, 1)
posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


def read_error(path: Path) -> UndecodableError:
    with pytest.raises(UndecodableError) as failure:
        read_photo(path, REF)
    return failure.value


def test_the_reference_has_the_current_size_and_time(tmp_path: Path) -> None:
    data = encode_image(draw_scene(), "PNG")
    (tmp_path / "a.jpg").write_bytes(data)
    os.utime(tmp_path / "a.jpg", ns=(5, 10**18 + 7))
    status = (tmp_path / "a.jpg").stat()
    assert read_photo(tmp_path / "a.jpg", REF) == (data, PhotoRef("photo", len(data), status.st_mtime_ns))


def test_empty_and_missing_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert read_error(tmp_path / "empty.jpg").reason is SkipReason.EMPTY
    with pytest.raises(FileNotFoundError):
        read_photo(tmp_path / "gone.jpg", REF)


@posix_only
def test_pipes_sockets_devices_and_folders_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert read_error(tmp_path / "pipe.jpg").reason is SkipReason.NOT_A_PHOTO
    assert read_error(Path("/dev/zero")).reason is SkipReason.NOT_A_PHOTO
    assert read_error(tmp_path).reason is SkipReason.NOT_A_PHOTO
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.jpg"))
        assert read_error(tmp_path / "s.jpg").reason is SkipReason.NOT_A_PHOTO
    assert read_head(tmp_path / "pipe.jpg") == read_head(Path("/dev/zero")) == b""
    with pytest.raises(FileNotFoundError):
        read_head(tmp_path / "gone")


@posix_only
def test_symlinks_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_image(draw_scene(), "PNG"))
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/b.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "other").symlink_to("folder")
    for name in ("link.png", "circle.png", "other/b.png", "folder/../a.png"):
        assert read_error(tmp_path / name).reason is SkipReason.NOT_A_PHOTO
        assert read_head(tmp_path / name) == b""
        with pytest.raises(UnsafeFileError):
            open_photo(tmp_path / name)


@posix_only
def test_only_the_head_of_a_file_that_is_not_a_photo_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = tmp_path / "vast.jpg"
    sparse.touch()
    os.truncate(sparse, 1 << 40)
    (tmp_path / "film.jpg").write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    read: list[int] = []
    real = os.read

    def counting_read(file: int, count: int) -> bytes:
        read.append(count)
        return real(file, count)

    monkeypatch.setattr(reading.os, "read", counting_read)
    assert read_error(sparse).reason is SkipReason.NOT_A_PHOTO
    assert str(read_error(tmp_path / "film.jpg")) == "it is an MP4 video"
    with sparse.open("r+b") as file:
        file.write(b"\xff\xd8\xff\xe0")
    too_large = read_error(sparse)
    assert too_large.reason is SkipReason.TOO_LARGE and f"{MAX_BYTES:,}" in str(too_large)
    assert sum(read) == 3 * HEAD_BYTES


@posix_only
@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 10_000), lambda path: os.utime(path, ns=(1, 1))])
def test_a_file_that_changes_while_it_is_read_is_left_to_the_next_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.bmp"
    path.write_bytes(encode_image(draw_scene(), "BMP"))
    real = os.read

    def read_and_change(file: int, count: int) -> bytes:
        data = real(file, count)
        change(path)
        return data

    monkeypatch.setattr(reading.os, "read", read_and_change)
    error = read_error(path)
    assert error.reason is SkipReason.UNREADABLE and "changed" in str(error)


@posix_only
@pytest.mark.parametrize(
    "name",
    [b"not utf-8 \xff\xfe.png", b"two\nlines.png", b"n" * 251 + b".png", "😀 fête.png".encode(), b" .png", b"-rf.png"],
)
def test_files_with_unusual_names_are_read(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(encode_image(draw_scene(), "PNG"))
    except OSError:
        pytest.skip("this file system does not allow such names")
    assert read_photo(path, REF)[0] == path.read_bytes()


@posix_only
def test_missing_permission_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(draw_scene(), "PNG"))
    path.chmod(0)
    tmp_path.chmod(0o755)
    previous = os.geteuid()
    if previous == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            read_photo(path, REF)
        with pytest.raises(PermissionError):
            read_head(path)
    finally:
        os.seteuid(previous)
