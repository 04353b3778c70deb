"""File locks of the operating system: one process at a time, freed when that process ends in any way."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import FaceclustError
from faceclust.files.own_files import UnsafeFileError, open_own

#: Errors of file systems without locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
#: Errors of a lock that another process holds. Windows uses the last one.
_HELD = (errno.EAGAIN, errno.EACCES, getattr(errno, "EDEADLOCK", errno.EAGAIN))
_RETRY_SECONDS = 0.05


@contextmanager
def plain_lock(file: Path, busy: FaceclustError) -> Iterator[None]:
    """Hold a lock on `file`, which is created if it is missing, without waiting. Raises `busy` if
    another process holds it, OSError if it cannot be created or is not a file of its own."""
    descriptor = open_lock_file(file)
    try:
        try:
            acquire_if_supported(descriptor)
        except TimeoutError:
            raise busy from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def hold_file_lock(file: Path, activity: str) -> Iterator[None]:
    """Keep other runs out of the folder that holds the lock file `file`, created if missing.

    `activity` describes the other run, as in "makes albums". Raises FaceclustError if another run
    holds the lock or `file` is not an ordinary file. Raises OSError if it cannot be created.
    """
    busy = FaceclustError(f"another faceclust {activity} in {file.parent}", hint="wait until it is done")
    folder = Path(os.path.realpath(file.parent))  # the user may have typed a symlink
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(plain_lock(folder / file.name, busy))
        except UnsafeFileError as error:
            raise FaceclustError(
                f"{file} is not faceclust's lock file: {error.strerror}", hint="move it away, then try again"
            ) from error
        yield


def open_lock_file(file: Path) -> int:
    """Open a lock file, created if it is missing, and return its descriptor; closing it frees the lock.

    The content is never changed. Raises OSError: UnsafeFileError for a symlink, a pipe or several hard
    links, which could make other programs wait for a lock on a file of theirs.
    """
    return open_own(file, os.O_RDWR | os.O_CREAT, single_link=True)


def acquire_if_supported(descriptor: int, timeout: float = 0) -> bool:
    """Lock an open file, waiting at most `timeout` seconds; return False if the file system has no
    locks, so that work goes on unlocked. Raises TimeoutError if another process holds the lock, OSError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            _lock_descriptor(descriptor)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            if error.errno not in _HELD:
                raise
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_RETRY_SECONDS)
        else:
            return True


if sys.platform == "win32":
    import msvcrt

    def _lock_descriptor(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_descriptor(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
