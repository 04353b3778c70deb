"""Watch all roots of a library that are here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from faceclust.watch.watched_root import WatchedRoot


class WatchedRoots:
    """The roots that are watched, by path. `open_root` starts to watch one."""

    def __init__(self, open_root: Callable[[Path], WatchedRoot]) -> None:
        self._open_root = open_root
        self._roots: dict[Path, WatchedRoot] = {}

    def __bool__(self) -> bool:
        return bool(self._roots)

    def update(self, here: Collection[Path]) -> bool:
        """Watch these roots and no others. Return whether one has come."""
        for path in self._roots.keys() - set(here):
            self._roots.pop(path).close()
        arrived = [path for path in here if path not in self._roots]
        self._roots |= {path: self._open_root(path) for path in arrived}
        return bool(arrived)

    def wait(self, seconds: float) -> set[Path]:
        """Wait at most `seconds` for changes. Return the folders that have settled; they may be gone."""
        share = seconds / len(self._roots)
        return {path / name for path, root in self._roots.items() for name in root.wait(share)}

    def existing(self, folders: Iterable[Path]) -> set[Path]:
        """Return these folders, and the nearest ones above those that are gone, as far as they are watched."""
        found = set[Path]()
        for folder in folders:
            root = next((path for path in self._roots if folder.is_relative_to(path)), None)
            while root and folder != root and not folder.is_dir():
                folder = folder.parent
            found |= {folder} if root else set()
        return found

    def close(self) -> None:
        """Stop watching."""
        self.update(())
