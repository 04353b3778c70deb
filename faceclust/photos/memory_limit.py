"""Limit the memory that decoding one file takes."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_lock = threading.Lock()
#: The limits of the files in progress, and the process's own limit before the first of them.
_limits: list[int] = []
_before = (-1, -1)


@contextlib.contextmanager
def limit_memory_growth(max_bytes: int) -> Iterator[None]:
    """Let allocations fail once this worker process has `max_bytes` more memory than now. Linux only.

    The limit holds for all threads, so that a process that the user started has none. The process's own limit returns
    after the last file in progress.
    """
    used = _memory_in_use() if multiprocessing.parent_process() else None
    if sys.platform != "linux" or used is None:
        yield
        return
    import resource

    global _before
    limit = used + max_bytes
    with _lock:
        if not _limits:
            _before = resource.getrlimit(resource.RLIMIT_DATA)
        _limits.append(limit)
        _set_limit(max(_limits), _before)
    try:
        yield
    finally:
        with _lock:
            _limits.remove(limit)
            _set_limit(max(_limits) if _limits else None, _before)


def _memory_in_use() -> int | None:
    """Return the bytes of data of this process; None if the system does not list them."""
    try:
        import resource

        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except (ImportError, OSError):
        return None


def _set_limit(limit: int | None, before: tuple[int, int]) -> None:
    """Set the soft limit: never above the one before, which None sets again."""
    import resource

    soft, hard = before
    if limit is not None:
        soft = limit if soft == resource.RLIM_INFINITY else min(limit, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
