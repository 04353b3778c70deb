"""Small files of other programs, read as carefully as photos are."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from faceclust.photos.reading import open_without_blocking

#: Larger files are not what their names say.
MAX_FILE_BYTES = 100_000_000


class UnreadableFileError(Exception):
    """Nothing can be made of this file; the message says why."""


def read_small_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """All bytes of an ordinary file; no link is followed. Raises UnreadableError."""
    try:
        with open_without_blocking(path) as file:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFileError("it is not an ordinary file")
            if status.st_size > max_bytes:
                raise UnreadableFileError(f"it is larger than {max_bytes:,} bytes")
            parts = []
            while part := os.read(file, 1 << 20):
                parts.append(part)
            return b"".join(parts)
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from error


def decode_text(data: bytes) -> str:
    """Text in whatever encoding its program wrote: by its mark, else UTF-8, else that of Windows in
    western Europe, where a byte that means nothing becomes a mark of its own."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace").removeprefix("\ufeff")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
