"""The errors of the package. Each class has an exit code; each error may have a hint."""

from __future__ import annotations

import errno

#: Parts of the messages with which libraries report that memory ran out, which have no error class for it.
_MEMORY_MESSAGES = (
    *("Failed to allocate", "bad_alloc", "bad allocation", "annot allocate memory", "failed to map segment"),
    "can't start new thread",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Did this error, or one that it was raised from, happen because memory ran out?"""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno == errno.ENOMEM):
            return True
        if not isinstance(seen, FaceclustError) and any(words in str(seen) for words in _MEMORY_MESSAGES):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


class FaceclustError(Exception):
    """A failure of the whole run. `hint` tells the user what to do about it; a traceback shows it, too."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")


class UsageError(FaceclustError):
    """Invalid input: a path, name or number that cannot be used."""

    exit_code = 2


class ConfigReadError(UsageError):
    """A configuration file that cannot be read, although its content may be valid."""

    exit_code = 1


class NoLibraryError(UsageError):
    """No library was given and none was found."""


class NothingScannedError(FaceclustError):
    """The library has no caches yet."""


class PackError(FaceclustError):
    """A model pack is missing, damaged or unknown."""


class CacheError(FaceclustError):
    """A file of `.faceclust/`, or a folder cache, cannot be read or written."""


class NewerCacheError(CacheError):
    """A cache was written by a newer version of faceclust. It is left as it is."""


class LibraryBusyError(FaceclustError):
    """Another faceclust process is writing to the library."""
