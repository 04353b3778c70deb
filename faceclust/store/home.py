"""Where a library keeps its files, and the lock over them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import filelock
import platformdirs

from faceclust.errors import CacheError, LibraryBusyError, NoLibraryError, UsageError
from faceclust.store.files import private_folder, write_atomically
from faceclust.store.folder_cache import FILE_NAME

HOME_NAME = ".faceclust"
ENVIRONMENT_VARIABLE = "FACECLUST_LIBRARY"


class LibraryHome:
    """The paths of one library.

    `home` is `<root>/.faceclust`; for a library that cannot be written to it is a folder of
    the user's data folder, named after the root. The same goes for a single folder that
    cannot be written to: its cache lies below `home/folders/`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        inside = root / HOME_NAME
        self.home = inside if os.access(inside if inside.is_dir() else root, os.W_OK) else _outside_home(root)
        self.clusters = self.home / "clusters.parquet"
        self.journal = self.home / "people.jsonl"
        self.thumbs = self.home / "thumbs"
        self._last_scan = self.home / "last-scan"

    def exists(self) -> bool:
        return self.home.is_dir()

    def create(self) -> None:
        private_folder(self.home)

    def folder_cache(self, folder: str) -> Path:
        """Where the cache file of a folder (POSIX path below the root) lies, or would."""
        inside = self.root / folder
        if (inside / FILE_NAME).exists() or os.access(inside, os.W_OK):
            return inside / FILE_NAME
        return self.home / "folders" / folder / FILE_NAME

    def note_scan(self) -> None:
        """Note that the library has just been scanned."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_atomically(self._last_scan, lambda stream: stream.write(now.encode()))

    def last_scan(self) -> str | None:
        """When that was, None where it is not known."""
        try:
            return self._last_scan.read_text(encoding="utf-8")
        except OSError:
            return None

    def cached_folders(self) -> list[str]:
        """Folders (POSIX paths below the root, sorted) that have a cache file."""
        found = set()
        for base in (self.root, self.home / "folders"):
            for path, folders, files in os.walk(base):
                folders[:] = [name for name in folders if not name.startswith(".")]
                folder = Path(path).relative_to(base).as_posix()
                if FILE_NAME in files and (self.root / folder).is_dir():
                    found.add("" if folder == "." else folder)
        return sorted(found)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the library for writing. Raises LibraryBusyError where another process does."""
        self.create()
        lock = filelock.FileLock(self.home / "lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise LibraryBusyError(
                f"another faceclust is writing to {self.root}", hint="wait until it is done, then try again"
            ) from None
        except OSError as error:
            raise CacheError(f"{self.home / 'lock'} cannot be locked: {error}") from error
        try:
            yield
        finally:
            lock.release()


def _outside_home(root: Path) -> Path:
    digest = hashlib.blake2b(str(root).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return platformdirs.user_data_path("faceclust") / "libraries" / f"{root.name or 'root'}-{digest}"


def find_library(named: Path | None) -> Path:
    """The library's root: the one named, else FACECLUST_LIBRARY, else the nearest folder from
    here up that holds `.faceclust/`, else the one last scanned. Raises NoLibraryError."""
    chosen = named or (Path(env) if (env := os.environ.get(ENVIRONMENT_VARIABLE)) else None)
    if chosen is not None:
        root = resolve_folder(chosen)
        if not LibraryHome(root).exists():
            raise NoLibraryError(f"{root} has not been scanned", hint=f"type: faceclust scan {root}")
        return root
    here = enclosing_library(Path.cwd())
    if here is not None:
        return here
    last = _last_scanned()
    if last is not None and LibraryHome(last).exists():
        return last
    raise NoLibraryError("no photo library is known yet", hint="type: faceclust scan FOLDER, or name one by --library")


def enclosing_library(path: Path) -> Path | None:
    """The nearest folder from `path` up that is a library's root."""
    for folder in (path, *path.parents):
        if (folder / HOME_NAME).is_dir():
            return folder
    return None


def resolve_folder(path: Path) -> Path:
    """An absolute folder without links. Raises UsageError where there is none."""
    path = path.expanduser()
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="check the spelling; is the disk mounted?")
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder")
    return path.resolve()


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
