"""The first half of a scan: crawl, and compare with what is known. No photo is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from faceclust.errors import CacheError, FaceclustError
from faceclust.files.names import pack_of
from faceclust.progress import Progress
from faceclust.scan.copies import Copies
from faceclust.scan.crawl import PhotoFolder, crawl
from faceclust.scan.examine import Look
from faceclust.scan.folder import ScanFolder
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache, OutdatedCacheError, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo, KnownPhotoRow
from faceclust.types import ScannedPhoto

_OUTDATED = "made with an older version of the models: all photos are scanned again"
Note = Callable[[str], None]


class Forgotten(Protocol):
    """Sees to it that a scan does not bring forgotten faces back."""

    def look(self, cache: FolderCache, folder: str) -> None:
        """Told of the cache of each folder, before any photo is looked at. May raise CacheError."""

    def take(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """The photo with its forgotten faces marked; None where that shows only once all photos
        have been seen."""

    def rest(self) -> Iterable[ScannedPhoto]:
        """Those photos, marked."""


def look_through(
    home: LibraryHome,
    info: CacheInfo,
    starts: Iterable[str],
    look: Look,
    progress: Progress,
    result: ScanResult,
    note: Note,
    forgotten: Forgotten,
) -> list[ScanFolder]:
    """The folders below `starts`, each once. Raises FaceclustError where the library's disk seems
    not to be there: its photos are not gone."""
    if home.seems_unmounted():
        raise FaceclustError(f"{home.root} is empty, but photos of it are known", hint="is its disk mounted?")
    progress.start("looking for photos", None)
    folders: dict[str, ScanFolder] = {}
    for start in starts:
        for found in crawl(home.root, start):
            if found.error:
                note(f"{home.root / found.rel_path}: not looked into: {found.error}")
            elif found.rel_path not in folders:
                folder = folders[found.rel_path] = _compare(home, info, found, look, note, forgotten)
                result.photos += len(found.photos)
                result.unchanged += len(folder.known)
                result.removed += len(folder.removed)
                progress.advance(len(found.photos))
    progress.finish()
    return list(folders.values())


def _compare(
    home: LibraryHome,
    info: CacheInfo,
    found: PhotoFolder,
    look: Look,
    note: Note,
    forgotten: Forgotten,
) -> ScanFolder:
    cache = FolderCache(home.folder_cache(found.rel_path, info.pack), info)
    swept = True
    try:
        forgotten.look(cache, found.rel_path)
    except CacheError as error:
        swept = False
        note(str(error))
    folder = ScanFolder(home, found, cache, _rows(cache, note), look)
    folder.settled &= swept
    return folder


def _rows(cache: FolderCache, note: Note) -> dict[str, KnownPhotoRow]:
    try:
        return cache.index()
    except OutdatedCacheError:
        note(_OUTDATED)
        return cache.start_over()
    except UnusableCacheError as error:
        cache.set_aside()
        note(f"{error}; set aside as {cache.paths.aside}, its photos are scanned again")
        return {}


def known_contents(home: LibraryHome, info: CacheInfo, folders: Iterable[ScanFolder], look: Look) -> Copies:
    """What the caches know of contents that waiting photos may have."""
    folders = list(folders)
    copies = Copies((ref for folder in folders for ref in folder.waiting), look)
    if not any(folder.waiting for folder in folders):
        return copies
    for folder in folders:
        copies.learn_folder(folder)
    others = {name for path, name in home.cache_files() if pack_of(path.name) == info.pack}
    # Parts that are not scanned now, and folders that are gone: their caches may be kept elsewhere.
    for name in sorted(others.difference(folder.name for folder in folders)):
        copies.learn_cache(FolderCache(home.folder_cache(name, info.pack), info))
    return copies
