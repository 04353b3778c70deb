"""The errors of the package. Each class has an exit code; each error may have a hint."""

from __future__ import annotations


class FaceclustError(Exception):
    """A failure of the whole run. `hint` tells the user what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


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
