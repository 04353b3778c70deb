"""Crash-safe writes of the user's files: reports, exports, sidecars, notes in folders of albums.

A file is written under a temporary name in the same folder, fsynced, and renamed over the target. The
writer holds a lock on the temporary file, so that the remains of a killed run can be recognised.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

from faceclust.errors import FaceclustError
from faceclust.files.own_files import (
    PRIVATE_FILE_MODE,
    PRIVATE_FOLDER_MODE,
    UnsafeFileError,
    list_own,
    locate,
    open_own,
    remove_own,
    restrict_mode,
    stat_own,
)

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
_TEMPORARY_NAME = re.compile(r"\.faceclust-[0-9a-f]{16}\.tmp")
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_MODE_BITS = 0o777
#: Larger notes about the files in a folder are not read: this is enough for millions of files.
MAX_NOTE_BYTES = 1_000_000_000
#: Without locks, an unfinished file is taken for abandoned after this time. Seconds.
_ABANDONED_AFTER = 86_400


def write_output_atomically(path: Path, write: Callable[[BinaryIO], T], *, hint: str = "choose another place") -> T:
    """Replace the user's file `path`, completely or not at all, with what `write` writes; return its result.

    A new file has mode 0600, and an existing one keeps its group and permissions. A symlink stays one:
    its target is replaced. A pipe or device is written to directly. Raises FaceclustError with `hint`
    if the write fails.
    """
    try:
        if _is_special_file(path):
            with path.open("wb") as stream:
                return write(stream)
        real = Path(os.path.realpath(path))
        remove_abandoned_outputs(real.parent)
        return _replace(real, write, PRIVATE_FILE_MODE)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FaceclustError(f"{path} cannot be written: {error.strerror or error}", hint=hint) from error


def write_own_atomically(path: Path, content: bytes, *, new_mode: int = PRIVATE_FILE_MODE) -> None:
    """Replace one of faceclust's files in a user's folder, completely or not at all.

    A new file gets `new_mode`, and an existing one keeps its group and permissions. Raises OSError:
    UnsafeFileError if there is a symlink on the path, or `path` is no regular file.
    """
    _replace(path, lambda stream: stream.write(content), new_mode)


def remove_abandoned_outputs(folder: Path) -> None:
    """Delete the unfinished files of killed runs in a folder, except those of other users. Raises OSError."""
    with contextlib.suppress(PermissionError):
        for path in [folder / name for name in list_own(folder) if is_unfinished_output(name)]:
            if is_abandoned_output(path):
                remove_own(path)


def is_abandoned_output(path: Path) -> bool:
    """Is this an unfinished file of `write_output_atomically` that no process writes any more?"""
    if not is_unfinished_output(path.name):
        return False
    try:
        descriptor = open_own(path, os.O_RDWR)
    except OSError:  # not a regular file, deleted meanwhile, or another user's
        return False
    try:
        return _try_lock(descriptor, without_locks=os.fstat(descriptor).st_mtime < time.time() - _ABANDONED_AFTER)
    finally:
        os.close(descriptor)


def is_unfinished_output(name: str) -> bool:
    """Is this the name of a file that is still being written?"""
    return _TEMPORARY_NAME.fullmatch(name) is not None


def file_mode_beside(note: Path) -> int:
    """Return the mode of new files beside faceclust's note about a folder: that of the note, or 0600
    for a new one. Who shares the folder changes the modes of all files in it. Raises OSError."""
    status = stat_own(note)
    return PRIVATE_FILE_MODE if status is None else status.st_mode & 0o666


def make_subfolders(folder: Path, path: str) -> None:
    """Create the missing folders of a POSIX path below a folder of outputs. Each gets the permissions of
    the folder that it is in, which the user may have shared. Raises OSError."""
    for name in PurePosixPath(path).parts:
        mode = stat.S_IMODE(os.lstat(folder).st_mode) & _MODE_BITS
        folder /= name
        with locate(folder) as (parent, relative), contextlib.suppress(FileExistsError):
            os.mkdir(relative, PRIVATE_FOLDER_MODE, dir_fd=parent)
            restrict_mode(relative, mode, parent)


def _is_special_file(path: Path) -> bool:
    """Is this a pipe or device? A folder is none."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(path: Path, write: Callable[[BinaryIO], T], new_mode: int) -> T:
    with locate(path) as (folder, name), _create_temporary(path, folder) as (temporary, stream):
        existing = _stat_replaceable(path, name, folder)
        result = write(stream)
        stream.flush()
        _set_permissions(stream.fileno(), existing, new_mode)
        os.fsync(stream.fileno())
        if fcntl is None:  # Windows cannot rename an open file
            stream.close()
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    return result


def _stat_replaceable(path: Path, name: str, folder: int | None) -> os.stat_result | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFileError(errno.EINVAL, "it is not a regular file", str(path))
    return status


@contextmanager
def _create_temporary(path: Path, folder: int | None) -> Iterator[tuple[str, BinaryIO]]:
    """Create a locked file beside `path`; yield its name and stream. It is deleted unless it was renamed."""
    temporary, descriptor = _open_temporary(path, folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield temporary, stream
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _open_temporary(path: Path, folder: int | None) -> tuple[str, int]:
    while True:
        name = f".faceclust-{secrets.token_hex(8)}.tmp"  # nobody can guess it and plant a symlink there
        temporary = name if folder is not None else str(path.with_name(name))
        descriptor = os.open(temporary, _CREATE_FLAGS, PRIVATE_FILE_MODE, dir_fd=folder)
        # Another process may have taken the file for abandoned before it was locked.
        if _try_lock(descriptor, without_locks=True):
            with contextlib.suppress(FileNotFoundError):
                os.stat(temporary, dir_fd=folder)
                return temporary, descriptor
        os.close(descriptor)


def _try_lock(descriptor: int, *, without_locks: bool) -> bool:
    """Lock a file until it is closed; return whether that worked. `without_locks` is the answer on a
    system or disk that has no locks."""
    if fcntl is None:
        return without_locks
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True


def _set_permissions(descriptor: int, existing: os.stat_result | None, new_mode: int) -> None:
    """Give a finished file its permissions, as far as the disk has any."""
    if not hasattr(os, "fchmod"):
        return
    mode = new_mode if existing is None else existing.st_mode & _MODE_BITS
    if existing is not None and os.fstat(descriptor).st_gid != existing.st_gid:
        try:
            os.fchown(descriptor, -1, existing.st_gid)
        except OSError:  # not a group of this user: the group that it has instead was never meant
            mode &= ~stat.S_IRWXG
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, mode)
