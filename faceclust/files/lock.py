"""One run at a time on a folder of albums or of a report."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import FaceclustError

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def locked(file: Path, doing: str) -> Iterator[None]:
    """Keep other runs away from the folder that this file, made where it is not there, lies in; `doing`:
    what they do, as in "makes albums". Raises FaceclustError where one is at work on it, or the file
    leads elsewhere; OSError where it cannot be made."""
    import filelock

    _check(file)
    lock = filelock.FileLock(file, timeout=0)
    try:
        lock.acquire()
    except TimeoutError:
        raise FaceclustError(f"another faceclust {doing} in {file.parent}", hint="wait until it is done") from None
    except NotImplementedError:  # a disk without locks
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


def _check(file: Path) -> None:
    """Some versions of filelock empty the file, which could be another name of a photo."""
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise FaceclustError(f"{file} is no file of faceclust", hint="move it away, then try again")
