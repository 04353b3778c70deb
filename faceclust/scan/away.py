"""The photos of a library on disks that are away: a scan leaves them as they are."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from pathlib import PurePosixPath

from faceclust.files.library_roots import AdditionalRoot
from faceclust.scan.listing import list_folders
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.store.scan_snapshot import read_scan_snapshot
from faceclust.store.schema import CachedPhoto, CacheInfo, stored_name
from faceclust.types import PhotoRef

#: Folders whose files are compared to recognise a disk.
_MAX_COMPARED_FOLDERS = 20


def count_photos_by_folder(home: LibraryHome, info: CacheInfo) -> dict[str, int]:
    """Return the number of known photos in each folder on a disk that is away. Raises CacheError."""
    snapshot = read_scan_snapshot(home.scan_snapshot_of(info.pack))
    known = snapshot.folders if snapshot else {}
    return {
        folder: known[folder].photo_count if folder in known else _count_cached_photos(home, info, folder)
        for root in home.roots.away
        for folder in home.cached_folders_of(root, info.pack)
    }


def count_known_photos(home: LibraryHome, info: CacheInfo, root: AdditionalRoot) -> int:
    """Return the number of known photos on an additional root. Raises CacheError."""
    return sum(_count_cached_photos(home, info, folder) for folder in home.cached_folders_of(root, info.pack))


def _count_cached_photos(home: LibraryHome, info: CacheInfo, folder: str) -> int:
    return len(_read_index(home, info, folder))


def _read_index(home: LibraryHome, info: CacheInfo, folder: str) -> dict[str, CachedPhoto]:
    try:
        return FolderCache(home.cache_paths(folder, info.pack), info).index()
    except UnusableCacheError:
        return {}


def is_another_disk(home: LibraryHome, info: CacheInfo, root: AdditionalRoot, found: Collection[PhotoRef]) -> bool:
    """Return whether none of the photos known on an additional root is there, neither at its path nor elsewhere among
    those `found` in the root, by name and size. Another disk seems to be mounted then. Raises CacheError.

    Not if half of the names or more are there.
    """
    known, total, named = set[tuple[str, int]](), 0, 0
    for folder in home.cached_folders_of(root, info.pack):
        rows = _read_index(home, info, folder)
        sizes = _list_sizes(home, folder)
        if any(sizes.get(name) == photo.size for name, photo in rows.items()):
            return False
        total, named = total + len(rows), named + len(rows.keys() & sizes.keys())
        known |= {(PurePosixPath(name).name, photo.size) for name, photo in rows.items()}
    if 2 * named >= total:  # another program has changed each of them
        return False
    return known.isdisjoint((PurePosixPath(stored_name(ref)).name, ref.size) for ref in found)


def holds_known_photos(home: LibraryHome, info: CacheInfo, root: AdditionalRoot, path: str) -> bool | None:
    """Does the folder at `path` hold photos that are known on an additional root, at the same places, with the same
    names and sizes? None if none are known, in a few folders of the root. Raises CacheError."""
    total = matches = 0
    for folder in islice(home.cached_folders_of(root, info.pack), _MAX_COMPARED_FOLDERS):
        known = _read_index(home, info, folder)
        sizes = _list_sizes(home, path + folder[len(root.path) :])
        total += len(known)
        matches += sum(sizes.get(name) == photo.size for name, photo in known.items())
    return 2 * matches >= total if total else None


def _list_sizes(home: LibraryHome, folder: str) -> dict[str, int]:
    """Return the sizes of the photos and videos in a folder, by name as in caches; empty if it is missing."""
    listing = next(list_folders(home.root, folder, videos=True), None)
    return {stored_name(PhotoRef(*file)): file[1] for file in listing.files} if listing else {}
