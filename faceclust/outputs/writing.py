"""Writing what a user asked for: the file is there as a whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from faceclust.errors import FaceclustError


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, hint: str = "choose another place") -> None:
    """Give `path` the content that `write` puts out, all of it or none. A file that is there keeps
    its permissions, a link stays one, and what is no ordinary file (a pipe, a device) is written
    into. Raises FaceclustError with the `hint` where that cannot be."""
    path = Path(os.path.realpath(path))  # not the link is to be replaced, but what it leads to
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.tmp")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                write(stream)
            return
        try:
            with temporary.open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FaceclustError(f"{path} cannot be written: {error.strerror or error}", hint=hint) from error


def replace_whole(path: Path, content: bytes) -> None:
    """Put a file of our own in place, all of it or as it was: a link there is replaced, not followed.
    One at a time may do that: what a killed run began is cleared away. Raises OSError."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        if re.fullmatch(r"\.[0-9a-f]{16}\.tmp", left.name.removeprefix(path.name)) and not left.is_symlink():
            left.unlink()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")  # a name nobody can lay a link at
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
