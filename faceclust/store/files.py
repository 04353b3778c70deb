"""Writing that survives a crash: a temporary file beside the target, fsync, replace."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from faceclust.errors import CacheError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Give `path` the content that `write` puts out, all of it or none; readable by its owner
    only. Raises CacheError where the disk does not take it; the old content is then untouched.
    What costs little to make again need not be `durable`: it then outlives a crash of the
    program, but maybe not of the machine."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), PRIVATE_FILE
        )
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        _make_private(temporary, PRIVATE_FILE)
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise CacheError(
            f"{path} cannot be written: {error.strerror or error}", hint="is the disk full or the folder read-only?"
        ) from error


def remove(path: Path) -> None:
    """Delete a file that may be gone already. Raises CacheError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CacheError(f"{path} cannot be deleted: {error.strerror or error}") from error


def private_folder(path: Path) -> Path:
    """Make the folder, and its parents, readable by their owner only."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        _make_private(path, PRIVATE_FOLDER)
    except OSError as error:
        raise CacheError(f"{path} cannot be made: {error.strerror or error}") from error
    return path


def _make_private(path: Path, mode: int) -> None:
    # Some file systems know no owners, and some folders are another user's.
    with contextlib.suppress(OSError):
        path.chmod(mode)


def sync_folder(path: Path) -> None:
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
