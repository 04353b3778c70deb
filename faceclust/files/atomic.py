"""Writing that survives a crash: a temporary file beside the target, fsync, replace."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from faceclust.errors import CacheError, FaceclustError

PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE = 0o600, 0o700
#: How the names of unfinished files end.
TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Give `path` the content that `write` puts out, all of it or none; readable by its owner
    only. Raises CacheError where the disk does not take it; the old content is then untouched.
    What costs little to make again need not be `durable`: it then outlives a crash of the
    program, but maybe not of the machine."""
    temporary = temporary_beside(path)
    try:
        with os.fdopen(create_private(temporary), "wb") as stream:
            write(stream)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
        if durable:
            fsync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise CacheError(
            f"{path} cannot be written: {error.strerror or error}", hint="is the disk full or the folder read-only?"
        ) from error


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that no other process takes, on this machine or another."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")


def create_private(path: Path) -> int:
    """Make a file that is not there yet, its owner's only from the first moment and whatever the
    umask is; gives a descriptor to write by. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE_FILE_MODE)
    _restrict_mode(path, PRIVATE_FILE_MODE)  # a umask may have taken its owner's rights as well
    return descriptor


def remove_file(path: Path) -> None:
    """Delete a file that may be gone already. Raises CacheError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CacheError(f"{path} cannot be deleted: {error.strerror or error}") from error


def make_private_folder(path: Path) -> Path:
    """Make the folder readable by its owner only, and those above it that are not there yet.
    Raises CacheError."""
    missing = [path]
    while not os.path.isdir(missing[-1].parent):
        missing.append(missing[-1].parent)
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
            _restrict_mode(folder, PRIVATE_FOLDER_MODE)
    except OSError as error:
        raise CacheError(f"{path} cannot be made: {error.strerror or error}") from error
    return path


def _restrict_mode(path: Path, mode: int) -> None:
    # Some file systems know no owners, and some folders are another user's.
    with contextlib.suppress(OSError):
        path.chmod(mode)


def fsync_folder(path: Path) -> None:
    """Make a new name in a folder last through a power cut, where the system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the replace itself was done
        return
    finally:
        os.close(descriptor)


def write_output_atomically(
    path: Path, write: Callable[[BinaryIO], object], *, hint: str = "choose another place"
) -> None:
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


def replace_atomically(path: Path, content: bytes) -> None:
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
