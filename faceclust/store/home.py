"""Where a library keeps its files, and the lock over them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import filelock
import platformdirs

from faceclust.errors import CacheError, LibraryBusyError, NoLibraryError, UsageError
from faceclust.store.files import PRIVATE_FILE, private_folder, write_atomically
from faceclust.store.folder_cache import FILE_NAME, CachePaths
from faceclust.types import ALBUMS_NOTES, SYSTEM_FOLDERS

HOME_NAME = ".faceclust"
JOURNAL_NAME = "people.jsonl"
ENVIRONMENT_VARIABLE = "FACECLUST_LIBRARY"


class LibraryHome:
    """The paths of one library.

    `home` is `<root>/.faceclust`; for a library that cannot be written to it is a folder of
    the user's data folder, named after the root. What an earlier time left in the other of
    the two is read too. A single folder that cannot be written to has its cache below
    `home/folders/`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        inside, outside = root / HOME_NAME, outside_home(root)
        writable = os.access(inside if os.path.isdir(inside) else root, os.W_OK)
        self.home, self._other = (inside, outside) if writable else (outside, inside)
        self.clusters = self.home / "clusters.parquet"
        self.clusters_before = self.home / "clusters-before.parquet"
        self.thumbs = self.home / "thumbs"
        self._last_scan = self.home / "last-scan"

    def exists(self) -> bool:
        return os.path.isdir(self.home) or os.path.isdir(self._other)

    def create(self) -> None:
        private_folder(self.home)

    def known_clusters(self) -> Path:
        """The clusters file to read: the one that is written, else what is in the other place."""
        earlier = self._other / self.clusters.name
        return earlier if earlier.exists() and not self.clusters.exists() else self.clusters

    def folder_cache(self, folder: str) -> CachePaths:
        """Where the cache of a folder (POSIX path below the root) lies, or would."""
        beside = self.root / folder / FILE_NAME
        away = [home / "folders" / folder / FILE_NAME for home in (self.home, self._other)]
        write, *others = [beside, *away] if os.access(beside.parent, os.W_OK) else [away[0], beside, away[1]]
        aside = self.home / "set-aside" / folder / FILE_NAME.removeprefix(".")
        return CachePaths(write, tuple(others), aside)

    @property
    def journal(self) -> Path:
        return self.home / JOURNAL_NAME

    def other_journals(self) -> list[tuple[Path, str]]:
        """Journals to read beside the own one, each with the folder its photo paths begin at:
        the one in the other home, and those of folders that were libraries of their own."""
        candidates = [(self._other / JOURNAL_NAME, ""), *self._below()[1]]
        return [(path, folder) for path, folder in candidates if os.path.isfile(path)]

    def cached_folders(self) -> list[str]:
        """Folders (POSIX paths below the root, sorted) that have a cache file."""
        found = set(self._below()[0])
        for base in (self.home / "folders", self._other / "folders"):
            for path, _, files in os.walk(base):
                folder = Path(path).relative_to(base).as_posix()
                folder = "" if folder == "." else folder
                if FILE_NAME in files and os.path.isdir(self.root / folder):
                    found.add(folder)
        return sorted(found)

    def _below(self) -> tuple[list[str], list[tuple[Path, str]]]:
        """Folders below the root with a cache, and where the journals of folders would lie that
        were libraries of their own."""
        cached: list[str] = []
        journals: list[tuple[Path, str]] = []
        for path, folders, files in os.walk(self.root):
            folder = Path(path).relative_to(self.root).as_posix()
            folder = "" if folder == "." else folder
            if ALBUMS_NOTES in files and folder:
                folders.clear()  # links to photos that lie elsewhere
                continue
            if FILE_NAME in files:
                cached.append(folder)
            if folder:
                homes = (Path(path) / HOME_NAME, outside_home(Path(path)))
                journals += [(home / JOURNAL_NAME, folder) for home in homes]
            folders[:] = [name for name in folders if not name.startswith(".") and name not in SYSTEM_FOLDERS]
        return cached, journals

    def note_scan(self) -> None:
        """Note that the library has just been scanned."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_atomically(self._last_scan, lambda stream: stream.write(now.encode()))

    def last_scan(self) -> str | None:
        """When that was, None where it is not known."""
        for home in (self.home, self._other):
            with contextlib.suppress(OSError):
                return (home / self._last_scan.name).read_text(encoding="utf-8")
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the library for writing caches or clusters. Raises LibraryBusyError at once
        where another process does."""
        with self._lock("lock", wait=0, busy=f"another faceclust is writing to {self.root}"):
            yield

    @contextmanager
    def journal_locked(self) -> Iterator[None]:
        """Hold the journal for one answer: possible while a scan runs."""
        with self._lock("people.lock", wait=10, busy=f"another faceclust is writing to {self.journal}"):
            yield

    @contextmanager
    def _lock(self, name: str, wait: float, busy: str) -> Iterator[None]:
        self.create()
        with _held(self.home / name, wait, busy):
            yield


@contextmanager
def journal_held(journal: Path) -> Iterator[None]:
    """Hold the journal of another library, or of the other home, for rewriting it. Raises CacheError
    where it cannot be written to, LibraryBusyError."""
    with _held(journal.with_name("people.lock"), wait=10, busy=f"another faceclust is writing to {journal}"):
        yield


@contextmanager
def _held(path: Path, wait: float, busy: str) -> Iterator[None]:
    lock = filelock.FileLock(path, timeout=wait, mode=PRIVATE_FILE)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise LibraryBusyError(busy, hint="wait until it is done, then try again") from None
    except OSError as error:
        raise CacheError(f"{path} cannot be locked: {error}") from error
    try:
        yield
    finally:
        lock.release()


def outside_home(root: Path) -> Path:
    """The folder in the user's data folder for a library that cannot be written to."""
    digest = hashlib.blake2b(str(root).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return platformdirs.user_data_path("faceclust") / "libraries" / f"{root.name or 'root'}-{digest}"


def find_library(named: Path | None) -> Path:
    """The library's root: the one named, else FACECLUST_LIBRARY, else the nearest folder from
    here up that holds `.faceclust/`, else the one last scanned. Raises NoLibraryError."""
    chosen = named or (Path(env) if (env := os.environ.get(ENVIRONMENT_VARIABLE)) else None)
    if chosen is not None:
        root = resolve_folder(chosen)
        if not LibraryHome(root).exists():
            raise NoLibraryError(f"{root} has not been scanned", hint=f"type: faceclust scan {shlex.quote(str(root))}")
        return root
    here = enclosing_library(_working_folder())
    if here is not None:
        return here
    last = _last_scanned()
    if last is not None and LibraryHome(last).exists():
        return last
    raise NoLibraryError("no photo library is known yet", hint="type: faceclust scan FOLDER, or name one by --library")


def chosen_library(folder: Path) -> Path | None:
    """The library FACECLUST_LIBRARY names, where the folder lies in it."""
    root = os.environ.get(ENVIRONMENT_VARIABLE)
    chosen = resolve_folder(Path(root)) if root else None
    return chosen if chosen and folder.is_relative_to(chosen) else None


def enclosing_library(path: Path) -> Path | None:
    """The nearest folder from `path` up that is a library's root."""
    for folder in (path, *path.parents):
        if os.path.isdir(folder / HOME_NAME) or os.path.isdir(outside_home(folder)):
            return folder
    return None


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the folder you are in is gone", hint="cd somewhere else") from None


def resolve_folder(path: Path) -> Path:
    """An absolute folder without links. Raises UsageError where there is none."""
    try:
        path = path.expanduser()
        resolved = path.resolve(strict=True)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", hint="check the spelling; is the disk mounted?") from None
    except (OSError, RuntimeError) as error:  # no permission, a ring of links, no such user
        raise UsageError(f"{path} cannot be opened: {error}") from error
    if not resolved.is_dir():
        raise UsageError(f"{path} is not a folder")
    try:
        str(resolved).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name of {resolved!a} is not UTF-8", hint="rename the folder") from None
    return resolved


def remember_library(root: Path) -> None:
    """Note the library last scanned. Failing to is no reason to fail a scan."""
    try:
        note = _last_scanned_note()
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, lambda stream: stream.write(os.fsencode(root)))
    except (OSError, CacheError):
        return


def _last_scanned() -> Path | None:
    try:
        return Path(os.fsdecode(_last_scanned_note().read_bytes()))
    except OSError:
        return None


def _last_scanned_note() -> Path:
    return platformdirs.user_state_path("faceclust") / "last-library"
