"""Go on after a file that cannot be written, and report it at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faceclust.errors import CacheError
from faceclust.store.folder_cache import UnusableCacheError


@contextmanager
def collect_failures(failures: list[str]) -> Iterator[None]:
    """Append the message of a CacheError or UnusableCacheError to `failures` instead of raising it."""
    try:
        yield
    except (CacheError, UnusableCacheError) as error:
        failures.append(str(error))
