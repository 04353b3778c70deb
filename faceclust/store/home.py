"""The paths of a library's files, and the locks for writing them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.atomic import make_private_folder, remove_file, write_private_atomically
from faceclust.files.library_roots import AdditionalRoot, LibraryRoots
from faceclust.files.names import (
    DEFAULT_PACK,
    EXCLUDED_FOLDER_MARKERS,
    HOME_MARKER,
    cache_file_name,
    is_cache_file_name,
    is_hidden_or_system_folder,
    pack_of_cache_file,
    snapshot_file_name,
)
from faceclust.files.own_files import (
    UnsafeFileError,
    is_own_folder,
    own_exists,
    read_own,
    translate_os_errors,
    walk_own,
)
from faceclust.files.safe_paths import is_photo_folder, join_posix, relative_posix
from faceclust.store.config import CONFIG_FILE_NAME, MAX_CONFIG_BYTES, find_config_file, read_config
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
from faceclust.store.roots_file import ROOTS_NAME, read_roots, write_roots

JOURNAL_NAME = "people.jsonl"
_MAX_TIME_SIZE = 100  # bytes
#: Subfolders of a home: caches that are not kept beside their photos, and unusable caches.
FOLDERS_NAME, SET_ASIDE_NAME = "folders", "set-aside"
#: Subfolder of a home: the questions of pages that were sent to other people.
SENT_PAGES_NAME = "sent"


class LibraryHome:
    """The paths of one library.

    `home` is `<root>/.faceclust`. For a read-only library it is a folder in the user's data folder,
    named after the root. With a cache directory it is a folder below that directory. Files left in
    the other places by earlier runs are read too.

    The cache of a read-only photo folder is kept below `home/folders/`. With a cache directory
    (`has_cache_dir`), all caches are kept there and nothing is written into the library. The caches of
    additional roots are kept below `home/roots/`, so that their faces stay known while their disks are away.
    `on_note` receives a message if an abandoned lock is taken over.
    """

    def __init__(
        self, root: Path, *, cache_dir: Path | None = None, on_note: Callable[[str], None] = lambda note: None
    ) -> None:
        """`cache_dir`: a new cache directory, recorded by `create`. Raises UsageError if it lies in
        the library, CacheError if the recorded one is missing."""
        self.root, self._on_note = root, on_note
        self._cache_dir = resolve_cache_dir(root, cache_dir) if cache_dir else None
        homes = homes_of(root)
        if self._cache_dir:
            homes.insert(0, home_below(self._cache_dir, root))
        else:
            require_cache_dir(root)
        self.home = homes[0]
        self._skips_unreadable_folders = False
        self._other_homes = [home for home in dict.fromkeys(homes) if home != self.home]
        self.has_cache_dir = self._cache_dir is not None or bool(cache_dirs_of(root))
        self.clusters = self.home / "clusters.parquet"
        self.previous_clusters = self.home / "clusters-before.parquet"
        self.thumbs = self.home / "thumbs"
        self.last_scan_file = self.home / "last-scan"
        self._roots: LibraryRoots | None = None
        self._was_there = False
        with contextlib.suppress(CacheError):
            self.exists()

    @property
    def roots(self) -> LibraryRoots:
        """The library's own root and its additional ones, as they were when first read, or reloaded last.
        Raises CacheError if their file is damaged."""
        if self._roots is None:
            self._roots = read_roots(self.root, self.homes)
        return self._roots

    def reload_roots(self) -> None:
        """Have `roots` find out again which disks are mounted."""
        self._roots = None

    def set_roots(self, additional: tuple[AdditionalRoot, ...]) -> None:
        """Write the additional roots. The caller holds the library's lock. Raises CacheError."""
        write_roots(self.home, LibraryRoots(self.root, additional))
        self.reload_roots()

    def scan_snapshot_of(self, pack: str) -> Path:
        """Return the path of the snapshot of the last scan with this pack."""
        return self.home / snapshot_file_name(pack)

    def discard_scan_snapshot(self, pack: str) -> None:
        """Have the next scan with this pack read every cache. Does nothing in a read-only home."""
        with contextlib.suppress(CacheError):
            remove_file(self.scan_snapshot_of(pack))

    @property
    def homes(self) -> tuple[Path, ...]:
        """All folders to read from, the one to write to first."""
        return self.home, *self._other_homes

    def exists(self) -> bool:
        """Has the library been scanned? Raises CacheError if that cannot be found out."""
        with translate_os_errors():
            exists = any(map(is_own_folder, self.homes))
        self._was_there |= exists
        return exists

    def require(self) -> None:
        """Raise CacheError unless the home exists."""
        if not self.exists():
            raise CacheError(
                f"{self.home} is not there any more", hint="connect the disk that it is on, then try again"
            )

    def create(self) -> None:
        """Create the home and record its cache directory, if it has one. Raises CacheError, also if there was a home:
        what is written into a new one would be hidden once the disk is back."""
        if self._was_there:
            self.require()
        make_private_folder(self.home)
        self._was_there = True
        marker = self.home / HOME_MARKER
        if not own_exists(marker):
            content = str(self.root).encode("utf-8", "surrogateescape")
            write_private_atomically(marker, lambda stream: stream.write(content))
        cache_dir = self._cache_dir or next(iter(cache_dirs_of(self.root)), None)
        if cache_dir and home_below(cache_dir, self.root) == self.home:
            save_cache_dir(self.root, cache_dir)

    def allow_new(self) -> None:
        """Let `create` make a home although there was one: this program has deleted it."""
        self._was_there = False

    @property
    def config_file(self) -> Path:
        """The library's configuration file; it may not exist."""
        return find_config_file(self.homes)

    def writable_config_file(self) -> Path:
        """Return the configuration file to write, after copying it from another home if needed.
        Raises UsageError if that one cannot be read, CacheError."""
        file, existing = self.home / CONFIG_FILE_NAME, self.config_file
        if existing != file:
            read_config(existing)  # raises if the file is not valid
            content = read_own(existing, MAX_CONFIG_BYTES)
            make_private_folder(file.parent)
            write_private_atomically(file, lambda stream: stream.write(content))
        return file

    def existing_clusters(self) -> Path:
        """Return the clustering to read: the first one found in the homes."""
        with translate_os_errors():
            return next((path for home in self.homes if own_exists(path := home / self.clusters.name)), self.clusters)

    def cache_paths(self, folder: str, pack: str = DEFAULT_PACK) -> CachePaths:
        """Return the paths of the cache of a photo folder (POSIX path below the root, or the absolute one on an
        additional root)."""
        name = cache_file_name(pack)
        if (root := self.roots.root_of(folder)) is not None:
            return self._cache_paths_on(root, folder, name)
        beside_photos = self.root / folder / name
        in_homes = [home / FOLDERS_NAME / folder / name for home in self.homes]
        writes_beside = not self.has_cache_dir and os.access(beside_photos.parent, os.W_OK)
        write, *others = [beside_photos, *in_homes] if writes_beside else [in_homes[0], beside_photos, *in_homes[1:]]
        set_aside = self.home / SET_ASIDE_NAME / folder / name.removeprefix(".")
        # Files in the library stay there with a cache directory, but may be out of date: read them last.
        protected = [path for path in others if self.has_cache_dir and path.is_relative_to(self.root)]
        ordered = [path for path in others if path not in protected] + protected
        return CachePaths(write, tuple(ordered), set_aside, frozenset(protected))

    def _cache_paths_on(self, root: AdditionalRoot, folder: str, name: str) -> CachePaths:
        """Return the paths of the cache of a folder on an additional root. One beside its photos, of a library
        that the folder is or was, is read last and never written."""
        below = self.roots.split(folder)[1]
        in_homes = [place / below / name for place in self.cache_folders_of(root)]
        beside_photos = [Path(folder) / name] if root.is_here else []
        set_aside = self.set_aside_folders_of(root)[0] / below / name.removeprefix(".")
        return CachePaths(in_homes[0], (*in_homes[1:], *beside_photos), set_aside, frozenset(beside_photos))

    @property
    def journal(self) -> Path:
        return self.home / JOURNAL_NAME

    def other_journals(self) -> list[tuple[Path, str]]:
        """Return the other journals to read, each with the folder that its photo paths start at:
        those in the other homes, and those of folders that used to be libraries. They may be missing."""
        return [(home / JOURNAL_NAME, "") for home in self._other_homes] + self._find_caches_and_journals()[1]

    def nested_libraries(self) -> list[str]:
        """Return the folders (POSIX paths below the root) that are, or used to be, libraries themselves."""
        return sorted({folder for _, folder in self._find_caches_and_journals()[1]})

    def cached_folders(self, pack: str | None = None) -> list[str]:
        """Return the folders (POSIX paths below the root, or absolute ones on additional roots; sorted) with a
        cache of this or any pack. Those on a disk that is away count."""
        found = {folder for path, folder in self.cache_files() if pack in (None, pack_of_cache_file(path.name))}
        with translate_os_errors():
            return sorted(
                folder
                for folder in found
                if not self.roots.is_here(folder) or is_photo_folder(self.roots.folder_path(folder))
            )

    def cache_files(self) -> list[tuple[Path, str]]:
        """Return every cache file of every pack with its photo folder (POSIX path below the root, or the absolute
        one on an additional root), sorted by folder. The photo folder may no longer exist."""
        found = list(self._find_caches_and_journals()[0])
        found += _list_caches([home / FOLDERS_NAME for home in self.homes], "")
        for root in self.roots.additional:
            found += self.cache_files_of(root)
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def cache_folders_of(self, root: AdditionalRoot) -> list[Path]:
        """Return the folders in the homes that hold the caches of an additional root; they may be missing."""
        return [place / FOLDERS_NAME for place in self.root_folders_of(root)]

    def root_folders_of(self, root: AdditionalRoot) -> list[Path]:
        """Return the folders in the homes that hold what is kept of an additional root; they may be missing."""
        return [home / ROOTS_NAME / root.id for home in self.homes]

    def set_aside_folders_of(self, root: AdditionalRoot) -> list[Path]:
        """Return the folders in the homes that hold unusable caches of an additional root; they may be missing."""
        return [home / SET_ASIDE_NAME / f".{root.id}" for home in self.homes]

    def cache_files_of(self, root: AdditionalRoot) -> list[tuple[Path, str]]:
        """Return the cache files of an additional root, each with its photo folder (absolute POSIX path)."""
        return _list_caches(self.cache_folders_of(root), root.path)

    def cached_folders_of(self, root: AdditionalRoot, pack: str) -> list[str]:
        """Return the folders (absolute POSIX paths, sorted) of an additional root with a cache of this pack."""
        return sorted({folder for path, folder in self.cache_files_of(root) if pack_of_cache_file(path.name) == pack})

    def seems_unmounted(self) -> bool:
        """Is the library's folder empty although caches elsewhere cover photos in it? The disk with
        the photos is then probably not mounted."""
        if self.home.is_relative_to(self.root):
            return False
        with translate_os_errors():
            if any(files for _, _, files in walk_own(self.root)):
                return False
            return bool(_list_caches([home / FOLDERS_NAME for home in self.homes], ""))

    def _find_caches_and_journals(self) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
        """Find the caches below the root, and the journal paths of folders that used to be
        libraries; each with its folder. The journals may not exist."""
        cached: list[tuple[Path, str]] = []
        journals: list[tuple[Path, str]] = []
        with translate_os_errors():
            nested = NestedHomes()
            for path, folders, files in walk_own(self.root, self._handle_unreadable_folder):
                folder = relative_posix(self.root, path)
                if folder and not EXCLUDED_FOLDER_MARKERS.isdisjoint(files):
                    folders.clear()  # links to photos elsewhere, or the home of another library
                    continue
                cached += [(path / name, folder) for name in files if is_cache_file_name(name)]
                if folder:
                    journals += [(home / JOURNAL_NAME, folder) for home in nested.find(path, folders)]
                folders[:] = [name for name in folders if not is_hidden_or_system_folder(name)]
        return cached, journals

    @contextmanager
    def skip_unreadable_folders(self) -> Iterator[None]:
        """Leave out the photo folders that cannot be listed, for a scan, which reports them itself.
        Otherwise they are an error: their faces are not gone."""
        self._skips_unreadable_folders = True
        try:
            yield
        finally:
            self._skips_unreadable_folders = False

    def _handle_unreadable_folder(self, error: OSError) -> None:
        if not self._skips_unreadable_folders:
            raise error

    def record_scan(self) -> None:
        """Record the current time as that of the last scan."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_private_atomically(self.last_scan_file, lambda stream: stream.write(now.encode()))

    def last_scan_time(self) -> str | None:
        """Return the ISO time of the last scan; None if unknown. Raises OSError."""
        for home in self.homes:
            with contextlib.suppress(FileNotFoundError):
                return _read_time(home / self.last_scan_file.name)
        return None

    @contextmanager
    def lock(self, doing: str = "writing") -> Iterator[HeldLock]:
        """Lock the library for writing caches or clusterings; `doing` as in "has been scanning".
        Raises LibraryBusyError at once if another process holds the lock, here or on another machine."""
        self.create()
        with hold_lock(self.home / "lock", doing, str(self.root), 0, self._on_note) as lock:
            yield lock

    @contextmanager
    def lock_journal(self) -> Iterator[None]:
        """Lock the journal for one answer. A running scan does not block it."""
        self.create()
        with lock_journal_file(self.journal, self._on_note):
            yield


def _list_caches(bases: Iterable[Path], start: str) -> list[tuple[Path, str]]:
    """Return the cache files below these folders, each with its photo folder at or below `start`. Raises CacheError."""
    found: list[tuple[Path, str]] = []
    with translate_os_errors():
        for base in bases:
            for path, _, files in walk_own(base):
                below = relative_posix(base, path)
                folder = join_posix(start, below) if below else start
                found += [(path / name, folder) for name in files if is_cache_file_name(name)]
    return found


def _read_time(file: Path) -> str | None:
    """Return the ISO time in a file, with its zone; None if the file is unsafe or contains something
    else. Raises OSError."""
    try:
        content = read_own(file, _MAX_TIME_SIZE).decode("ascii")
        return datetime.fromisoformat(content).astimezone().isoformat(sep=" ", timespec="seconds")
    except (UnsafeFileError, ValueError, OverflowError):
        return None


@contextmanager
def lock_journal_file(journal: Path, on_note: Callable[[str], None] = lambda note: None) -> Iterator[None]:
    """Lock a journal, of this library or another, waiting up to 10 s. Raises CacheError if it
    cannot be written, LibraryBusyError."""
    with hold_lock(journal.with_name("people.lock"), "writing", str(journal), 10, on_note):
        yield
