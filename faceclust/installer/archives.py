"""Zips that come from anywhere: what is wrong with one is one clear error."""

from __future__ import annotations

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import PackError
from faceclust.installer.partial_file import PartialFile
from faceclust.packs.pack import PackFile

#: What zipfile raises for a zip that is none, or is made in a way it does not know.
_ZIP_ERRORS = (
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
def open_zip(path: Path, description: str, hint: str) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`, while `wanted` is taken out of it. Raises PackError with `hint` where that
    cannot be, OSError where the disk does not do it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _ZIP_ERRORS as error:
        raise PackError(f"{description} cannot be taken out of {path}: {error}", hint=hint) from error


_BLOCK_SIZE = 1 << 20


def unpack_member(archive: Path, file: PackFile, part: PartialFile) -> None:
    """Put the member `file.member` of a zip where `part` is to be, if its size and SHA-256 are those
    of `file`. Raises PackError where they are not, OSError where the disk does not take it."""
    digest, size = hashlib.sha256(), 0
    part.remove()
    try:
        with open_zip(archive, file.name, "another mirror: --url") as opened:
            with opened.open(file.member or "") as member, part.path.open("wb") as out:
                while block := member.read(_BLOCK_SIZE):
                    size += len(block)
                    if size > (file.size or 0):
                        raise zipfile.BadZipFile("it is larger than it should be")
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != file.sha256:
                raise zipfile.BadZipFile("its SHA-256 is another")
        part.finish()
    except KeyError:
        raise PackError(f"{archive.name} has no {file.member} in it", hint="another mirror: --url") from None
    finally:
        part.remove()
