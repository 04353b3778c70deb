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
from faceclust.files.own_files import PRIVATE_FILE_MODE, locate, make_own_folder, remove_own, restrict_mode

#: The suffix of files that are still being written.
TEMPORARY_SUFFIX = ".tmp"
#: Matches the end that `temporary_beside` appends to a file's name.
TEMPORARY_END = re.compile(rf"\.[0-9a-f]{{8,16}}{re.escape(TEMPORARY_SUFFIX)}\Z")

_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_private_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Replace one of faceclust's own files, completely or not at all, with what `write` writes. Mode 0600.

    A symlink at `path` is replaced, and one on the way to it is refused. Without `durable` the write
    survives a crash of the program, but perhaps not one of the machine: enough for files that are cheap
    to recreate. Raises CacheError if the write fails; the old content is then untouched.
    """
    try:
        with locate(path) as (folder, name):
            temporary = temporary_beside(Path(name))
            _write_and_replace(name, str(temporary), write, folder=folder, private=True, sync=durable)
            if durable:
                sync_folder(path.parent if folder is None else folder)
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
            _write_and_replace(str(path), str(temporary_beside(hidden)), write, keep_mode=True)
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
    temporary = temporary_beside(path, random_bytes=8)
    _write_and_replace(str(path), str(temporary), lambda stream: stream.write(content))


def temporary_beside(path: Path, random_bytes: int = 4) -> Path:
    """Return an unused name in the same folder, unique across processes and machines."""
    return path.with_name(f"{path.name}.{secrets.token_hex(random_bytes)}{TEMPORARY_SUFFIX}")


def _write_and_replace(
    name: str,
    temporary: str,
    write: Callable[[BinaryIO], object],
    *,
    folder: int | None = None,
    private: bool = False,
    sync: bool = True,
    keep_mode: bool = False,
) -> None:
    """Write `temporary` and rename it to `name`; remove it if that fails. Raises OSError.

    Both are relative to the descriptor `folder`, if there is one. The file gets mode 0600 with
    `private`, and with `keep_mode` the permissions of an existing `name`.
    """
    descriptor = os.open(temporary, _CREATE_FLAGS, PRIVATE_FILE_MODE if private else 0o666, dir_fd=folder)
    try:
        if private:
            restrict_mode(temporary, PRIVATE_FILE_MODE, folder)
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        if keep_mode and os.path.exists(name):
            shutil.copymode(name, temporary)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def sync_folder(folder: Path | int) -> None:
    """Make a rename in a folder survive a power cut, if the system supports it."""
    try:
        if isinstance(folder, int):  # the descriptor may be good for opening files only
            descriptor = os.open(".", os.O_RDONLY, dir_fd=folder)
        else:
            descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the rename itself succeeded
        return
    finally:
        os.close(descriptor)


def remove_file(path: Path) -> None:
    """Delete one of faceclust's own files if it exists; of a symlink the link. Raises CacheError."""
    try:
        remove_own(path)
    except OSError as error:
        raise CacheError(f"{path} cannot be deleted: {error.strerror or error}") from error


def make_private_folder(path: Path) -> Path:
    """Create a folder and its missing parents with mode 0700; return it. Raises CacheError."""
    try:
        make_own_folder(path)
    except OSError as error:
        raise CacheError(f"{path} cannot be created: {error.strerror or error}") from error
    return path
