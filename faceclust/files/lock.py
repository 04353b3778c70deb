"""Plain locks: one process at a time, without waiting."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import FaceclustError

#: What file systems without locks answer. On them the work goes on unlocked.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def plain_lock(file: Path, busy: FaceclustError) -> Iterator[None]:
    """Hold a lock on `file`, which is created if it is missing. Raises `busy` if another process
    holds it, OSError if it cannot be created."""
    import filelock  # slow to import, and most commands lock nothing

    lock = filelock.FileLock(file, timeout=0)
    try:
        lock.acquire()
    except TimeoutError:
        raise busy from None
    except NotImplementedError:  # a file system without locks
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold_file_lock(file: Path, activity: str) -> Iterator[None]:
    """Keep other runs out of the folder of `file`, the lock, which is created if it is missing.
    `doing` describes the other run, as in "makes albums". Raises FaceclustError if another run
    is at work there or `file` is not an ordinary file of its own, OSError if it cannot be created."""
    _require_own_file(file)
    busy = FaceclustError(f"another faceclust {activity} in {file.parent}", hint="wait until it is done")
    with plain_lock(file, busy):
        yield


def _require_own_file(file: Path) -> None:
    """Some versions of filelock truncate the file, which could be another name of a photo."""
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise FaceclustError(f"{file} is no file of faceclust", hint="move it away, then try again")
