"""Read untrusted zip archives: every fault in one gives one clear error."""

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
from faceclust.packs.urls import MIRROR_HINT

BLOCK_SIZE = 1 << 20  # bytes to read at a time

#: Exceptions of zipfile for damaged or unsupported archives.
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
    """Open the zip at `path` to extract what `description` names. Raises PackError with `hint` if
    the archive is unusable, also in the body; OSError if the disk fails."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _ZIP_ERRORS as error:
        raise PackError(f"cannot extract {description} from {path}: {error}", hint=hint) from error


def unpack_member(archive: Path, file: PackFile, part: PartialFile) -> None:
    """Extract `file.member` of a zip to the target of `part`, after checking its size and SHA-256.
    Raises PackError if they differ from those of `file`, OSError if the disk fails."""
    digest, size = hashlib.sha256(), 0
    part.remove()
    try:
        with open_zip(archive, file.name, MIRROR_HINT) as opened:
            with opened.open(file.member or "") as member, part.path.open("wb") as out:
                while block := member.read(BLOCK_SIZE):
                    size += len(block)
                    if size > (file.size or 0):
                        raise zipfile.BadZipFile(f"it is larger than {file.size:,} bytes")
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != file.sha256:
                raise zipfile.BadZipFile("it has another SHA-256 than expected")
        part.finish()
    except KeyError:
        raise PackError(f"{archive.name} does not contain {file.member}", hint=MIRROR_HINT) from None
    finally:
        part.remove()
