"""The errors a user can meet: each has an exit code and says what to do."""

from __future__ import annotations


class FaceclustError(Exception):
    """A failure of the whole run. `hint` says what the user can do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(FaceclustError):
    """What was asked for cannot be: a path, a name or a number is wrong."""

    exit_code = 2


class NoLibraryError(UsageError):
    """No library was named, and none can be found."""


class NothingScannedError(FaceclustError):
    """The library holds no cache to read from."""


class PackError(FaceclustError):
    """A model pack is missing, damaged or unknown."""


class CacheError(FaceclustError):
    """A file below `.faceclust/` or a folder cache cannot be read or written."""


class NewerCacheError(CacheError):
    """A cache was made by a newer faceclust. It is left as it is."""


class LibraryBusyError(FaceclustError):
    """Another faceclust process is writing to this library."""
