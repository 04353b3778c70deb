"""Wait for change events of the operating system: inotify, FSEvents, ReadDirectoryChangesW."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from faceclust.progress import ShouldStop

#: Linux watches each folder, and would follow links out of the library; others watch whole trees.
_WATCHES_TREES = sys.platform in ("darwin", "win32")
_MAX_STEP = 0.5  # seconds between checks of `should_stop`


class NoEventsError(Exception):
    """The system cannot watch these folders. The message says why, as the end of a sentence."""


class ChangeEvents:
    """Watches the folders of a root.

    `folders`: POSIX paths below the root. Raises NoEventsError if
    the system cannot watch them, FileNotFoundError if one is gone.
    """

    def __init__(self, root: Path, folders: Collection[str]) -> None:
        self.folders = frozenset(folders)
        paths = [str(root)] if _WATCHES_TREES else [str(root / name) for name in sorted(folders)]
        try:  # ignoring missing permissions, the last argument, would hide that the limit is reached
            self._notify = RustNotify(paths, False, False, 0, _WATCHES_TREES, False)
        except FileNotFoundError:
            raise
        except (OSError, WatchfilesRustInternalError) as error:
            raise NoEventsError(_describe(error)) from error

    def covers(self, folders: Collection[str]) -> bool:
        """Whether changes in all of these folders are noticed."""
        return _WATCHES_TREES or self.folders >= frozenset(folders)

    def wait(self, seconds: float, should_stop: ShouldStop) -> set[str]:
        """Wait for changes, at most `seconds`. Return their absolute paths. Raises NoEventsError."""
        milliseconds = max(1, round(1000 * seconds))
        step = max(1, min(milliseconds // 2, round(1000 * _MAX_STEP)))
        try:
            found = self._notify.watch(milliseconds, step, milliseconds, _StopEvent(should_stop))
        except (OSError, WatchfilesRustInternalError) as error:
            raise NoEventsError(_describe(error)) from error
        if found == "signal":
            raise KeyboardInterrupt
        return set() if isinstance(found, str) else {path for _, path in found}

    def close(self) -> None:
        """Stop watching."""
        self._notify.close()


class _StopEvent:
    def __init__(self, should_stop: ShouldStop) -> None:
        self.is_set = should_stop


def _describe(error: Exception) -> str:
    text = str(error)
    if "watch limit" in text:
        return "the limit of watched folders is reached (fs.inotify.max_user_watches)"
    if "Too many open files" in text:
        return "the limit of watching programs is reached (fs.inotify.max_user_instances)"
    return text.partition(" (Error {")[0]
