"""One faceclust at a time changes what lies in a pack's folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from faceclust.errors import PackError
from faceclust.packs.registry import user_models

#: What file systems answer that know no locks: there it goes without.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def hold_pack(name: str) -> Iterator[None]:
    """Hold the pack called `name`, by a lock beside its folder, which is made where it is not there.
    Raises PackError where another process holds it, or the disk does not let one write."""
    import filelock  # what only reads need not wait for its import

    folder = user_models()
    lock = filelock.FileLock(folder / f".{name}.lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except TimeoutError:
        raise PackError(
            f"another faceclust is at work on the pack {name!r}", hint="wait until it is done, then try again"
        ) from None
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise PackError(
                f"{folder} cannot be written: {error.strerror or error}", hint="may you write there?"
            ) from error
    try:
        yield
    finally:
        lock.release()
