"""Zips that come from anywhere: what is wrong with one is one clear error."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import PackError

#: What zipfile raises for a zip that is none, or is made in a way it does not know.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


@contextmanager
def opened_zip(path: Path, wanted: str, hint: str) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`, while `wanted` is taken out of it. Raises PackError with `hint` where that
    cannot be, OSError where the disk does not do it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as error:
        raise PackError(f"{wanted} cannot be taken out of {path}: {error}", hint=hint) from error
