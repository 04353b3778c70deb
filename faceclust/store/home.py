"""Where a library keeps its files, and who may write them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from faceclust.files.atomic import make_private_folder, write_atomically
from faceclust.files.names import (
    DEFAULT_PACK,
    EXCLUDED_FOLDER_MARKERS,
    HOME_MARKER,
    SYSTEM_FOLDERS,
    cache_file_name,
    is_cache_file_name,
    pack_of_cache_file,
)
from faceclust.store.config import CONFIG_FILE_NAME, find_config_file, read_config
from faceclust.store.library_lock import HeldLock, hold_lock
from faceclust.store.locations import (
    CachePaths,
    NestedHomes,
    cache_dirs_of,
    home_below,
    homes_of,
    require_cache_dir,
    resolve_cache_dir,
    save_cache_dir,
)

JOURNAL_NAME = "people.jsonl"
#: Below a home: caches of folders that have none beside their photos, and ones that cannot be read.
FOLDERS_NAME, SET_ASIDE_NAME = "folders", "set-aside"


class LibraryHome:
    """The paths of one library.

    `home` is `<root>/.faceclust`; for a library that cannot be written to it is a folder of the
    user's data folder, named after the root; and where a folder was chosen for the caches, a
    folder in that. What an earlier time left in another of these places is read too. A single
    folder that cannot be written to has its cache below `home/folders/`, and so have all where
    a place was chosen, `apart`: nothing is written into the library then. `on_note` is told of a lock
    that was left behind.
    """

    def __init__(
        self, root: Path, *, cache_dir: Path | None = None, on_note: Callable[[str], None] = lambda note: None
    ) -> None:
        """`cache_dir`: a folder to choose for the caches, in `create`. Raises UsageError for one in
        the library, CacheError where the one chosen before is not there."""
        self.root, self._on_note = root, on_note
        self._cache_dir = resolve_cache_dir(root, cache_dir) if cache_dir else None
        homes = homes_of(root)
        if self._cache_dir:
            homes.insert(0, home_below(self._cache_dir, root))
        else:
            require_cache_dir(root)
        self.home = homes[0]
        self._other_homes = [home for home in dict.fromkeys(homes) if home != self.home]
        self.has_cache_dir = self._cache_dir is not None or bool(cache_dirs_of(root))
        self.clusters = self.home / "clusters.parquet"
        self.previous_clusters = self.home / "clusters-before.parquet"
        self.thumbs = self.home / "thumbs"
        self.last_scan_file = self.home / "last-scan"
        self.scan_snapshot = self.home / "seen.json"

    def scan_snapshot_of(self, pack: str) -> Path:
        """Where it is kept what the last scan by these models saw."""
        return self.scan_snapshot if pack == DEFAULT_PACK else self.scan_snapshot.with_name(f"seen.{pack}.json")

    @property
    def homes(self) -> tuple[Path, ...]:
        """All places that are read from, the own one first."""
        return self.home, *self._other_homes

    def exists(self) -> bool:
        return any(map(os.path.isdir, self.homes))

    def create(self) -> None:
        """Make the home; a folder chosen for the caches is remembered. Raises CacheError."""
        make_private_folder(self.home)
        mark = self.home / HOME_MARKER
        if not mark.exists():
            write_atomically(mark, lambda stream: stream.write(str(self.root).encode("utf-8", "surrogateescape")))
        chosen = self._cache_dir or next(iter(cache_dirs_of(self.root)), None)
        if chosen and home_below(chosen, self.root) == self.home:
            save_cache_dir(self.root, chosen)

    @property
    def config_file(self) -> Path:
        """The library's configuration file, where it is, or would be."""
        return find_config_file(self.homes)

    def writable_config_file(self) -> Path:
        """The same where it may be written: what stands in another place comes along. Raises UsageError
        for one that cannot be read, CacheError."""
        file, found = self.home / CONFIG_FILE_NAME, self.config_file
        if found != file:
            read_config(found)  # refuses what cannot be kept
            content = found.read_bytes()
            make_private_folder(file.parent)
            write_atomically(file, lambda stream: stream.write(content))
        return file

    def existing_clusters(self) -> Path:
        """The clusters file to read: the one that is written, else what is in another place."""
        return next((path for home in self.homes if (path := home / self.clusters.name).exists()), self.clusters)

    def cache_paths(self, folder: str, pack: str = DEFAULT_PACK) -> CachePaths:
        """Where the cache of a folder (POSIX path below the root) lies, or would."""
        name = cache_file_name(pack)
        beside = self.root / folder / name
        away = [home / FOLDERS_NAME / folder / name for home in self.homes]
        here = not self.has_cache_dir and os.access(beside.parent, os.W_OK)
        write, *others = [beside, *away] if here else [away[0], beside, *away[1:]]
        aside = self.home / SET_ASIDE_NAME / folder / name.removeprefix(".")
        # What stays in the library though it is out of date comes last.
        kept = [path for path in others if self.has_cache_dir and path.is_relative_to(self.root)]
        return CachePaths(write, (*(path for path in others if path not in kept), *kept), aside, frozenset(kept))

    @property
    def journal(self) -> Path:
        return self.home / JOURNAL_NAME

    def other_journals(self) -> list[tuple[Path, str]]:
        """Journals to read beside the own one, each with the folder its photo paths begin at:
        those in the other homes, and those of folders that were libraries of their own."""
        candidates = [(home / JOURNAL_NAME, "") for home in self._other_homes] + self._find_caches_and_journals()[1]
        return [(path, folder) for path, folder in candidates if os.path.isfile(path)]

    def has_nested_libraries(self) -> bool:
        """Do folders in it have files of their own, having been libraries?"""
        return bool(self._find_caches_and_journals()[1])

    def cached_folders(self, pack: str | None = None) -> list[str]:
        """Folders (POSIX paths below the root, sorted) that have a cache file, of any pack or of this."""
        return sorted(
            {
                folder
                for path, folder in self.cache_files()
                if pack in (None, pack_of_cache_file(path.name)) and os.path.isdir(self.root / folder)
            }
        )

    def cache_files(self) -> list[tuple[Path, str]]:
        """Every cache file, of all packs, with the folder (POSIX path below the root) it is of, which
        may be gone; by folder."""
        found = list(self._find_caches_and_journals()[0])
        for base in (home / FOLDERS_NAME for home in self.homes):
            for path, _, files in os.walk(base):
                folder = _relative_posix(base, path)
                found += [(Path(path) / name, folder) for name in files if is_cache_file_name(name)]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def seems_unmounted(self) -> bool:
        """Is the library's folder empty, though photos of it are known and this is kept elsewhere?
        The disk with the photos is probably not mounted then."""
        if self.home.is_relative_to(self.root) or any(files for _, _, files in os.walk(self.root)):
            return False
        return any(os.path.isdir(home / FOLDERS_NAME) for home in self.homes) and bool(self.cache_files())

    def _find_caches_and_journals(self) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
        """Caches below the root, and where the journals of folders would lie that were libraries of
        their own; each with its folder."""
        cached: list[tuple[Path, str]] = []
        journals: list[tuple[Path, str]] = []
        parts = NestedHomes()
        for path, folders, files in os.walk(self.root):
            folder = _relative_posix(self.root, path)
            if folder and not EXCLUDED_FOLDER_MARKERS.isdisjoint(files):
                folders.clear()  # links to photos that lie elsewhere, or what is kept of another library
                continue
            cached += [(Path(path) / name, folder) for name in files if is_cache_file_name(name)]
            if folder:
                journals += [(home / JOURNAL_NAME, folder) for home in parts.find(path, folders)]
            folders[:] = [name for name in folders if not name.startswith(".") and name not in SYSTEM_FOLDERS]
        return cached, journals

    def record_scan(self) -> None:
        """Note that the library has just been scanned."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_atomically(self.last_scan_file, lambda stream: stream.write(now.encode()))

    def last_scan_time(self) -> str | None:
        """When that was, None where it is not known."""
        for home in self.homes:
            with contextlib.suppress(OSError):
                return (home / self.last_scan_file.name).read_text(encoding="utf-8")
        return None

    @contextmanager
    def lock(self, doing: str = "writing") -> Iterator[HeldLock]:
        """Hold the library for writing caches or clusters; `doing` as in "has been scanning". Raises
        LibraryBusyError at once where another process does, here or on another machine."""
        self.create()
        with hold_lock(self.home / "lock", doing, str(self.root), 0, self._on_note) as lock:
            yield lock

    @contextmanager
    def lock_journal(self) -> Iterator[None]:
        """Hold the journal for one answer: possible while a scan runs."""
        self.create()
        with lock_journal_file(self.journal, self._on_note):
            yield


@contextmanager
def lock_journal_file(journal: Path, on_note: Callable[[str], None] = lambda note: None) -> Iterator[None]:
    """Hold a journal for writing, of this library or another. Raises CacheError where it cannot be
    written to, LibraryBusyError."""
    with hold_lock(journal.with_name("people.lock"), "writing", str(journal), 10, on_note):
        yield


def _relative_posix(base: Path, path: str) -> str:
    below = Path(path).relative_to(base).as_posix()
    return "" if below == "." else below
