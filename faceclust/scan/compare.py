"""The first half of a scan: crawl the folders and compare them with the caches, opening no photo."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from faceclust.errors import CacheError, FaceclustError
from faceclust.files.names import is_video_name, pack_of_cache_file
from faceclust.files.program_folders import describe_program_folder
from faceclust.files.safe_paths import is_at_or_below
from faceclust.progress import Progress
from faceclust.scan.away import is_another_disk
from faceclust.scan.copies import ContentIndex
from faceclust.scan.crawl import PhotoFolder, crawl
from faceclust.scan.examine import ScanSettings
from faceclust.scan.folder import ScanFolder
from faceclust.scan.result import ScanResult
from faceclust.store.folder_cache import FolderCache, OutdatedCacheError, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.roots_file import is_mounted
from faceclust.store.schema import CachedPhoto, CacheInfo
from faceclust.store.settings import included_folders, scans_videos
from faceclust.types import ScannedPhoto

_OUTDATED_MESSAGE = "the cache is from an older version of the models: all photos are scanned again"
_MAX_NOTED = 5  # folders of other programs that a note lists
NoteCallback = Callable[[str], None]


class FaceFilter(Protocol):
    """Keeps forgotten faces from coming back in a scan."""

    def add_cache(self, cache: FolderCache, folder: str) -> None:
        """Register the cache of a folder, before any photo is examined. May raise CacheError."""

    def mark_or_defer(self, photo: ScannedPhoto) -> ScannedPhoto | None:
        """Return the photo with its forgotten faces marked, None if that needs all photos first."""

    def deferred_photos(self) -> Iterable[ScannedPhoto]:
        """Return the deferred photos, marked."""


def compare_folders(
    home: LibraryHome,
    info: CacheInfo,
    starts: Iterable[str],
    settings: ScanSettings,
    progress: Progress,
    result: ScanResult,
    note: NoteCallback,
    face_filter: FaceFilter,
) -> list[ScanFolder]:
    """Return the folders below `starts`, each once. Those on a disk that is away are not among them.

    Raises FaceclustError if the library's disk seems unmounted, because its photos are not gone
    then.
    """
    if home.seems_unmounted():
        raise FaceclustError(f"{home.root} is empty, but photos in it were scanned", hint="is its disk mounted?")
    progress.start("looking for photos", None)
    folders: dict[str, ScanFolder] = {}
    program_folders: dict[str, str] = {}
    included, videos = included_folders(home.root), scans_videos(home.root)
    for start in starts:
        for found in crawl(home.root, start, included, videos=videos):
            program_folders |= found.listing.program_folders
            if found.error:
                note(f"{home.root / found.rel_path}: skipped: {found.error}")
                result.unreadable += found.listing.is_unreadable
            elif found.rel_path not in folders:
                folder = folders[found.rel_path] = _compare_folder(home, info, found, settings, note, face_filter)
                _count(result, folder, 1)
                progress.advance(len(found.photos))
    progress.finish()
    _leave_out_lost_disks(home, info, folders, result, note)
    if program_folders:
        note(_describe_program_folders(program_folders))
    return list(folders.values())


def _leave_out_lost_disks(
    home: LibraryHome, info: CacheInfo, folders: dict[str, ScanFolder], result: ScanResult, note: NoteCallback
) -> None:
    """Leave out additional roots whose disks went away while they were listed, or that another disk has
    replaced: their photos are not gone."""
    for root in home.roots.here:
        below = [folder for name, folder in folders.items() if is_at_or_below(name, root.path)]
        if not below:
            continue
        if not is_mounted(Path(root.path)):
            note(f"{root.path} went away during the scan; its photos stay known")
        elif not any(folder.unchanged for folder in below) and is_another_disk(
            home, info, root, [ref for folder in below for ref in folder.photo_folder.photos]
        ):
            note(
                f"{root.path}: none of its known photos is there; is another disk mounted? They stay known, and "
                f"nothing there is scanned (if they are gone: faceclust scan --remove-root {shlex.quote(root.path)}, "
                "then --add-root)"
            )
        else:
            continue
        for folder in below:
            del folders[folder.name]
            _count(result, folder, -1)


def _count(result: ScanResult, folder: ScanFolder, times: int) -> None:
    found = folder.photo_folder
    result.photos += times * len(found.photos)
    result.videos += times * sum(is_video_name(ref.name) for ref in found.photos)
    result.movies_of_photos += times * len(found.movies_of_photos)
    result.unchanged += times * len(folder.unchanged)
    result.removed += times * len(folder.removed)


def _describe_program_folders(program_folders: dict[str, str]) -> str:
    described = list(dict.fromkeys(describe_program_folder(*one) for one in program_folders.items()))
    more = f" and {len(described) - _MAX_NOTED:,} more" if len(described) > _MAX_NOTED else ""
    return (
        f"skipped, because other programs keep copies of photos there: {', '.join(described[:_MAX_NOTED])}{more} "
        "(to scan one of them all the same: faceclust scan --include FOLDER)"
    )


def _compare_folder(
    home: LibraryHome,
    info: CacheInfo,
    found: PhotoFolder,
    settings: ScanSettings,
    note: NoteCallback,
    face_filter: FaceFilter,
) -> ScanFolder:
    cache = FolderCache(home.cache_paths(found.rel_path, info.pack), info)
    is_filtered = True
    try:
        face_filter.add_cache(cache, found.rel_path)
    except CacheError as error:
        is_filtered = False
        note(str(error))
    folder = ScanFolder(home, found, cache, _read_index(cache, note), settings)
    folder.is_complete &= is_filtered
    return folder


def _read_index(cache: FolderCache, note: NoteCallback) -> dict[str, CachedPhoto]:
    try:
        return cache.index()
    except OutdatedCacheError:
        note(_OUTDATED_MESSAGE)
        return cache.discard_outdated()
    except UnusableCacheError as error:
        aside = cache.set_aside()
        note(f"{error}; {f'set aside as {aside}' if aside else 'ignored'}, its photos are scanned again")
        return {}


def build_content_index(
    home: LibraryHome, info: CacheInfo, folders: Iterable[ScanFolder], settings: ScanSettings
) -> ContentIndex:
    """Index the cached photos that pending photos may be copies of."""
    folders = list(folders)
    copies = ContentIndex((ref for folder in folders for ref in folder.pending), settings)
    if not any(folder.pending for folder in folders):
        return copies
    for folder in folders:
        copies.add_folder(folder)
    others = {name for path, name in home.cache_files() if pack_of_cache_file(path.name) == info.pack}
    # Caches of folders that are not scanned now or are gone, which may lie in another place.
    for name in sorted(others.difference(folder.name for folder in folders)):
        copies.add_cache(FolderCache(home.cache_paths(name, info.pack), info))
    return copies
