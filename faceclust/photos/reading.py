"""Read photo files safely: regular files only, size limited, unchanged while read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from faceclust.files.own_files import UnsafeFileError, open_own
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, detect_format
from faceclust.types import PhotoRef, SkipReason

#: Larger files are not photos, and reading them would exhaust memory.
MAX_BYTES = 512_000_000
_CHUNK_BYTES = 1 << 22


def read_photo(path: Path, ref: PhotoRef) -> tuple[bytes, PhotoRef]:
    """Return the whole file, and `ref` with the file's present size and time.

    They may have changed since the crawl. Raises OSError. Raises UndecodableError if the path is not a
    regular file or leads through a symlink, if the file is larger than MAX_BYTES, or changes while it
    is read. The same error is raised if the file does not begin like a photo, after reading only
    HEAD_BYTES.
    """
    try:
        stream = open_photo(path)
    except UnsafeFileError as error:
        raise UndecodableError(SkipReason.NOT_A_PHOTO, str(error.strerror)) from error
    with stream:
        file = stream.fileno()
        before = os.fstat(file)
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
    try:
        with open_photo(path) as stream:
            return os.read(stream.fileno(), HEAD_BYTES)
    except UnsafeFileError:
        return b""


def open_photo(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError: UnsafeFileError for anything else.

    A symlink is not followed, neither at `path` nor above it: a library may contain one that leads to
    a private file. Resolve a path that the user typed.
    """
    return os.fdopen(open_own(path), "rb")
