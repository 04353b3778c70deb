"""Read small files of other programs, which may be hostile."""

from __future__ import annotations

import codecs
from pathlib import Path

from faceclust.files.own_files import read_own

#: Larger files are not read.
MAX_FILE_BYTES = 100_000_000


class UnreadableFileError(Exception):
    """The file cannot be read or parsed; the message has the reason."""


def read_small_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read a regular file without following links. Raises UnreadableFileError."""
    try:
        return read_own(path, max_bytes)
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from error


def decode_text(data: bytes) -> str:
    """Decode a text by its byte order mark, else as UTF-8, else as Windows-1252 with replacements."""
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
