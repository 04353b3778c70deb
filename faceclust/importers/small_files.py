"""Small files of other programs, read as carefully as photos are."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from faceclust.photos.reading import opened

#: Larger files are not what their names say.
MOST_BYTES = 100_000_000


class UnreadableError(Exception):
    """Nothing can be made of this file; the message says why."""


def read_small(path: Path, most: int = MOST_BYTES) -> bytes:
    """All bytes of an ordinary file; no link is followed. Raises UnreadableError."""
    try:
        with opened(path) as file:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("it is not an ordinary file")
            if status.st_size > most:
                raise UnreadableError(f"it is larger than {most:,} bytes")
            parts = []
            while part := os.read(file, 1 << 20):
                parts.append(part)
            return b"".join(parts)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def decoded(data: bytes) -> str:
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
