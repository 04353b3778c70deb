"""Crash-safe writes of faceclust's own files: write a temporary file, fsync it, rename it over the target."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from faceclust.errors import CacheError
from faceclust.files.own_files import PRIVATE_FILE_MODE, locate, make_own_folder, remove_own, restrict_mode

#: The suffix of files that are still being written.
TEMPORARY_SUFFIX = ".tmp"

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
            _write_and_replace(name, str(temporary), write, folder, sync=durable)
            if durable:
                sync_folder(path.parent if folder is None else folder)
    except OSError as error:
        raise CacheError(
            f"{path} cannot be written: {error.strerror or error}", hint="is the disk full or the folder read-only?"
        ) from error


def temporary_beside(path: Path) -> Path:
    """Return an unused name in the same folder, unique across processes and machines."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")


def _write_and_replace(
    name: str, temporary: str, write: Callable[[BinaryIO], object], folder: int | None, *, sync: bool
) -> None:
    """Write `temporary` and rename it to `name`; remove it if that fails. Raises OSError.

    Both are relative to the descriptor `folder`, if there is one. The file gets mode 0600.
    """
    descriptor = os.open(temporary, _CREATE_FLAGS, PRIVATE_FILE_MODE, dir_fd=folder)
    try:
        restrict_mode(temporary, PRIVATE_FILE_MODE, folder)
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
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
