"""Compare the photo files of a root with those at the last look, by names, sizes and times alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

from faceclust.files.library_roots import LibraryRoots
from faceclust.files.names import is_hidden_or_system_folder
from faceclust.files.program_folders import is_skipped
from faceclust.files.safe_paths import is_at_or_below, is_photo_folder
from faceclust.scan.listing import FolderListing, list_folders

_EMPTY = FolderListing("").digest


class FolderListings:
    """The photo files of every folder that a scan of the root visits, as they were last listed.

    A change is a difference between two listings. So files that are no photos, and faceclust's own, are none.
    Folders are POSIX paths below the root, "" for the root itself. `included` returns the folders of other programs
    that scans visit, `videos` whether scans look at videos.
    """

    def __init__(
        self, root: Path, included: Callable[[], Collection[str]] = tuple, videos: Callable[[], bool] = bool
    ) -> None:
        self.root, self._included, self._videos = root, included, videos
        self._digests: dict[str, str] = {}

    @property
    def folders(self) -> frozenset[str]:
        """The folders at the last look, without those that could not be listed."""
        return frozenset(self._digests)

    def refresh(self) -> set[str]:
        """List all folders. Return those whose photo files have changed since the last look, or that are gone."""
        return self._relist("", deep=True)

    def look_at(self, paths: Iterable[str]) -> set[str]:
        """List the folders in which something happened at these absolute paths. Return those that have changed."""
        shallow, deep = set[str](), set[str]()
        for path in set(paths):
            name = self._relative(path)
            if name is None or any(map(is_hidden_or_system_folder, name.split("/"))):
                continue
            if name in self._digests and self._is_folder(name):
                shallow.add(name)
            elif name in self._digests or self._is_new_folder(name):
                deep.add(name)
            else:
                parent = _parent(name)
                shallow.add(parent) if parent in self._digests else deep.add(self._known_parent(parent))
        changed = set[str]()
        for name in _outermost(deep):
            changed |= self._relist(name, deep=True)
        return changed | self.check(name for name in shallow if name in self._digests)

    def check(self, folders: Iterable[str]) -> set[str]:
        """List these folders, without those below them. Return those that have changed."""
        return set().union(*(self._relist(name, deep=name not in self._digests) for name in set(folders)))

    def _relist(self, start: str, *, deep: bool) -> set[str]:
        found = list_folders(self.root, start, self._included(), videos=self._videos())
        listings = {one.rel_path: one for one in (found if deep else itertools.islice(found, 1))}
        unreadable = {name for name, one in listings.items() if one.error and (not name or self._is_folder(name))}
        now = {name: one.digest for name, one in listings.items() if not one.error}
        is_gone = start not in now and start not in unreadable
        before = {
            name: digest
            for name, digest in self._digests.items()
            if (is_at_or_below(name, start) if deep or is_gone else name == start)
            and not any(is_at_or_below(name, one) for one in unreadable)
        }
        for name in before.keys() - now.keys():
            del self._digests[name]
        self._digests |= now
        return {name for name in before.keys() | now.keys() if before.get(name, _EMPTY) != now.get(name, _EMPTY)}

    def _relative(self, path: str) -> str | None:
        try:
            name = Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return None
        return "" if name == "." else name

    def _is_folder(self, name: str) -> bool:
        try:
            return is_photo_folder(self.root / name)
        except OSError:  # unknown: the disk may fail for a moment
            return True

    def _is_new_folder(self, name: str) -> bool:
        """Whether scans visit this folder, which was not there at the last look, and know its parent."""
        return (
            _parent(name) in self._digests
            and self._is_folder(name)
            and not is_skipped(LibraryRoots(self.root), name, self._included())
        )

    def _known_parent(self, name: str) -> str:
        while name and name not in self._digests:
            name = _parent(name)
        return name


def _parent(name: str) -> str:
    parent = PurePosixPath(name).parent.as_posix()
    return "" if parent == "." else parent


def _outermost(names: Collection[str]) -> list[str]:
    return [name for name in sorted(names) if not any(name != one and is_at_or_below(name, one) for one in names)]
