"""Read photo files safely: regular files only, size limited, unchanged while read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, detect_format
from faceclust.types import PhotoRef, SkipReason

#: Larger files are not photos, and reading them would exhaust memory.
MAX_BYTES = 512_000_000
_CHUNK_BYTES = 1 << 22

# Opening a pipe that has no writer would block; a symlink put there since the crawl may lead anywhere.
_OPEN_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _OPEN_FLAGS |= getattr(os, _name, 0)


def read_photo(path: Path, ref: PhotoRef) -> tuple[bytes, PhotoRef]:
    """Return the whole file, and `ref` with the file's present size and time.

    They may have changed since the crawl. A symbolic link is not followed. Raises OSError. Raises
    UndecodableError if the path is not a regular file, is larger than MAX_BYTES, or changes while
    it is read. The same error is raised if the file does not begin like a photo, after reading only
    HEAD_BYTES.
    """
    with open_without_blocking(path) as file:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            raise UndecodableError(SkipReason.NOT_A_PHOTO, "it is not a regular file")
        head = os.read(file, HEAD_BYTES)
        detect_format(head)
        if before.st_size > MAX_BYTES:
            raise UndecodableError(SkipReason.TOO_LARGE, f"{before.st_size:,} bytes, the limit is {MAX_BYTES:,}")
        parts = [head]
        left = before.st_size - len(head)
        while left > 0 and (part := os.read(file, min(left, _CHUNK_BYTES))):
            parts.append(part)
            left -= len(part)
        after = os.fstat(file)
    if left or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise UndecodableError(SkipReason.UNREADABLE, "it changed while being read")
    return b"".join(parts), replace(ref, size=after.st_size, mtime_ns=after.st_mtime_ns)


def read_head(path: Path) -> bytes:
    """Return the first HEAD_BYTES of a regular file, nothing of anything else. Raises OSError."""
    with open_without_blocking(path) as file:
        return os.read(file, HEAD_BYTES) if stat.S_ISREG(os.fstat(file).st_mode) else b""


@contextmanager
def open_without_blocking(path: Path) -> Iterator[int]:
    """Open any path for reading, without waiting for a pipe's writer, and yield the descriptor.

    A symbolic link is not followed. Raises OSError. Check `os.fstat` before reading.
    """
    file = os.open(path, _OPEN_FLAGS)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def open_photo(path: Path) -> Iterator[BinaryIO]:
    """Open a photo's file without waiting or following a symbolic link. Raises OSError, also if the
    path is not a regular file."""
    with open_without_blocking(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def stat_photo(root: Path, rel_path: str) -> PhotoRef:
    """Return the reference of one file. Raises OSError if it is missing."""
    status = (root / rel_path).stat()
    return PhotoRef(rel_path, status.st_size, status.st_mtime_ns)
