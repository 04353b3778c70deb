"""One run at a time on a folder of albums."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import FaceclustError

_LOCK = ".faceclust-albums.lock"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs away from the folder. Raises FaceclustError where one is at work on it."""
    import filelock

    lock = filelock.FileLock(out / _LOCK, timeout=0)
    try:
        lock.acquire()
    except TimeoutError:
        raise FaceclustError(f"another faceclust makes albums in {out}", hint="wait until it is done") from None
    except NotImplementedError:  # a disk without locks
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
