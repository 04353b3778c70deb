"""Crash-safe writes: write a temporary file beside the target, fsync it, rename it over the target."""

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
#: The suffix of files that are still being written.
TEMPORARY_SUFFIX = ".tmp"
#: Matches the end that `temporary_beside` appends to a file's name.
TEMPORARY_END = re.compile(rf"\.[0-9a-f]{{8,16}}{re.escape(TEMPORARY_SUFFIX)}\Z")

_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_private_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Replace `path`, completely or not at all, with what `write` writes. Mode 0600.

    Without `durable` the write survives a crash of the program, but perhaps not one of the machine:
    enough for files that are cheap to recreate. Raises CacheError if the write fails; the old content
    is then untouched.
    """
    try:
        _write_and_replace(path, temporary_beside(path), write, create_private, sync=durable)
        if durable:
            _fsync_folder(path.parent)
    except OSError as error:
        raise CacheError(
            f"{path} cannot be written: {error.strerror or error}", hint="is the disk full or the folder read-only?"
        ) from error


def write_output_atomically(
    path: Path, write: Callable[[BinaryIO], object], *, hint: str = "choose another place"
) -> None:
    """Replace the user's file `path`, completely or not at all, with what `write` writes.

    An existing file keeps its permissions, and a symlink stays one: its target is replaced. A pipe
    or device is written to directly. Raises FaceclustError with `hint` if the write fails.
    """
    path = Path(os.path.realpath(path))
    hidden = path.with_name(f".{path.name[:80]}")  # a long name must leave room for the suffix
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                write(stream)
        else:
            _write_and_replace(path, temporary_beside(hidden), write, _create, keep_mode=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FaceclustError(f"{path} cannot be written: {error.strerror or error}", hint=hint) from error


def write_own_atomically(path: Path, content: bytes) -> None:
    """Replace one of faceclust's own files in a user's folder, completely or not at all.

    A symlink at `path` is replaced, not followed. Temporary files left by a killed run are removed,
    so only one process at a time may write `path`. Raises OSError.
    """
    for leftover in path.parent.glob(f"{path.name}.*{TEMPORARY_SUFFIX}"):
        if TEMPORARY_END.fullmatch(leftover.name.removeprefix(path.name)) and not leftover.is_symlink():
            leftover.unlink()
    # 64 random bits: nobody can guess the name and plant a symlink there.
    _write_and_replace(path, temporary_beside(path, random_bytes=8), lambda stream: stream.write(content), _create)


def temporary_beside(path: Path, random_bytes: int = 4) -> Path:
    """Return an unused name in the same folder, unique across processes and machines."""
    return path.with_name(f"{path.name}.{secrets.token_hex(random_bytes)}{TEMPORARY_SUFFIX}")


def create_private(path: Path) -> int:
    """Create a new file with mode 0600, whatever the umask; return a descriptor open for writing.
    Raises OSError, FileExistsError if the file exists."""
    descriptor = os.open(path, _CREATE_FLAGS, PRIVATE_FILE_MODE)
    _restrict_mode(path, PRIVATE_FILE_MODE)  # the umask may have removed the owner's rights as well
    return descriptor


def _create(path: Path) -> int:
    return os.open(path, _CREATE_FLAGS, 0o666)


def _write_and_replace(
    path: Path,
    temporary: Path,
    write: Callable[[BinaryIO], object],
    create: Callable[[Path], int],
    *,
    sync: bool = True,
    keep_mode: bool = False,
) -> None:
    """Write `temporary` and rename it to `path`; remove it if that fails. Raises OSError.

    `create` opens the new file. `keep_mode` copies the permissions of an existing `path`.
    """
    descriptor = create(temporary)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        if keep_mode and path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _fsync_folder(path: Path) -> None:
    """Make a rename in a folder survive a power cut, if the system supports it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the rename itself succeeded
        return
    finally:
        os.close(descriptor)


def remove_file(path: Path) -> None:
    """Delete a file if it exists. Raises CacheError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CacheError(f"{path} cannot be deleted: {error.strerror or error}") from error


def make_private_folder(path: Path) -> Path:
    """Create a folder and its missing parents with mode 0700; return it. Raises CacheError."""
    missing = [path]
    while not os.path.isdir(missing[-1].parent):
        missing.append(missing[-1].parent)
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
            _restrict_mode(folder, PRIVATE_FOLDER_MODE)
    except OSError as error:
        raise CacheError(f"{path} cannot be created: {error.strerror or error}") from error
    return path


def _restrict_mode(path: Path, mode: int) -> None:
    # Some file systems have no permissions, and some folders belong to another user.
    with contextlib.suppress(OSError):
        path.chmod(mode)
