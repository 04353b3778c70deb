"""Plain file locks: one process at a time, without waiting."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faceclust.errors import FaceclustError

if TYPE_CHECKING:
    import filelock

#: Errors of file systems without locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


def acquire_if_supported(lock: filelock.BaseFileLock) -> bool:
    """Acquire a lock; return False if the file system has no locks, so that work goes on unlocked.
    Raises TimeoutError if another process holds the lock, OSError if its file cannot be created."""
    try:
        lock.acquire()
    except NotImplementedError:  # what filelock before 4 makes of ENOSYS
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


@contextmanager
def plain_lock(file: Path, busy: FaceclustError) -> Iterator[None]:
    """Hold a lock on `file`, which is created if it is missing. Raises `busy` if another process
    holds it, OSError if it cannot be created."""
    import filelock  # slow to import, and most commands take no lock

    lock = filelock.FileLock(file, timeout=0)
    try:
        acquire_if_supported(lock)
    except TimeoutError:
        raise busy from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold_file_lock(file: Path, activity: str) -> Iterator[None]:
    """Keep other runs out of the folder that holds the lock file `file`, created if missing.

    `activity` describes the other run, as in "makes albums". Raises FaceclustError if another run
    holds the lock or `file` is not an ordinary file. Raises OSError if it cannot be created.
    """
    _require_own_file(file)
    busy = FaceclustError(f"another faceclust {activity} in {file.parent}", hint="wait until it is done")
    with plain_lock(file, busy):
        yield


def _require_own_file(file: Path) -> None:
    """Reject symlinks and hard links: some versions of filelock truncate the lock file, which could
    be another name of a photo."""
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise FaceclustError(f"{file} is not faceclust's lock file", hint="move it away, then try again")
