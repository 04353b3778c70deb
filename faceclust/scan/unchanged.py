"""Detect from names, sizes and times alone that a scan has nothing to do.

Imports nothing heavy, and opens no photo and no cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from faceclust.files.atomic import remove_file
from faceclust.files.bundled import bundled_folders
from faceclust.files.names import (
    DEFAULT_PACK,
    DEFAULT_PRECISION,
    EXTRA_MODULES,
    MANIFEST_NAME,
    MODELS_FOLDER,
    cache_file_name,
)
from faceclust.files.safe_paths import is_absolute_posix, is_at_or_below
from faceclust.files.user_folders import data_folder
from faceclust.scan.listing import FolderListing, list_folders
from faceclust.scan.result import ScanResult
from faceclust.store.find_library import relative_folder, remember_library
from faceclust.store.home import FOLDERS_NAME, LibraryHome
from faceclust.store.locations import libraries_folder, saved_cache_dirs_folder
from faceclust.store.scan_snapshot import (
    FolderSnapshot,
    ScanSnapshot,
    file_stamp,
    read_scan_snapshot,
    write_scan_snapshot,
)
from faceclust.store.settings import included_folders, pack_in_use, precision_in_use, scans_videos
from faceclust.version import __version__


def scan_if_unchanged(
    home: LibraryHome, folders: Iterable[str | os.PathLike[str]] = (), pack: str | None = None
) -> ScanResult | None:
    """Scan folders of a library, if nothing in them has changed since the last scan.

    `folders`: default the whole library. `pack`: the name of the models, default those in use.
    Return None if something may have changed. Raises UsageError for a folder outside the library.
    """
    starts = [relative_folder(home.roots, Path(folder)) for folder in folders]
    pack = pack or pack_in_use(home.root).value
    result = scan_unchanged(home, starts or all_starts(home), pack, precision_in_use(home.root).value)
    if result and not starts:
        result.away = count_photos_away(home, pack)
    return result


def all_starts(home: LibraryHome) -> list[str]:
    """Return the folders from which a scan of a whole library starts: its own root and the additional ones that
    are here."""
    return ["", *(root.path for root in home.roots.here)]


def count_photos_away(home: LibraryHome, pack: str) -> dict[str, int]:
    """Return the number of known photos on each additional root that is away, by its path."""
    if not home.roots.away:
        return {}
    snapshot = read_scan_snapshot(home.scan_snapshot_of(pack))
    folders = snapshot.folders if snapshot else {}
    return {
        root.path: sum(one.photo_count for name, one in folders.items() if is_at_or_below(name, root.path))
        for root in home.roots.away
    }


def scan_unchanged(
    home: LibraryHome, starts: Iterable[str], pack: str = DEFAULT_PACK, precision: str = DEFAULT_PRECISION
) -> ScanResult | None:
    """Return the result of a scan that has nothing to do, None if something may have changed."""
    began = time.monotonic()
    photos = count_unchanged_photos(home, starts, pack, precision)
    if photos is None:
        return None
    home.record_scan()
    remember_library(home.root)
    return ScanResult(photos=photos, unchanged=photos, elapsed_seconds=time.monotonic() - began)


def count_unchanged_photos(
    home: LibraryHome, starts: Iterable[str], pack: str = DEFAULT_PACK, precision: str = DEFAULT_PRECISION
) -> int | None:
    """Count the photos below these folders (POSIX paths below the root), None if any may have changed.

    Compares with the snapshot that the last scan left.
    """
    snapshot = read_scan_snapshot(home.scan_snapshot_of(pack))
    if snapshot is None or snapshot.environment != environment_stamp(home, pack, precision):
        return None
    counts: dict[str, int] = {}
    for start in starts:
        below = _count_unchanged_below(home, start, snapshot, pack)
        if below is None:
            return None
        counts |= below
    return sum(counts.values())


def _count_unchanged_below(home: LibraryHome, start: str, snapshot: ScanSnapshot, pack: str) -> dict[str, int] | None:
    """Return the number of photos of each folder from `start` down, None if any may have changed."""
    counts: dict[str, int] = {}
    for listing in list_folders(home.root, start, included_folders(home.root), videos=scans_videos(home.root)):
        before = snapshot.folders.get(listing.rel_path)
        if before is None or _may_have_changed(home, listing, before, pack):
            return None
        counts[listing.rel_path] = before.photo_count
    if any(name not in counts and is_at_or_below(name, start or ".") for name in snapshot.folders):
        return None  # a folder is gone
    return counts


def _may_have_changed(home: LibraryHome, listing: FolderListing, before: FolderSnapshot, pack: str) -> bool:
    if listing.error or before != _snapshot_folder(home, listing, before.photo_count, pack):
        return True
    # A nested library has a journal of its own. That of a library on an additional root is not read.
    return listing.is_library and bool(listing.rel_path) and not is_absolute_posix(listing.rel_path)


def update_snapshot(
    home: LibraryHome, pack: str, starts: Iterable[str], snapshots: Mapping[str, FolderSnapshot], stamp: str
) -> None:
    """Record for the next scan the folders whose photos are all in their caches.

    Earlier entries outside `starts` stay. `stamp`: the environment when the scan began.
    """
    if home.nested_libraries():
        remove_file(home.scan_snapshot_of(pack))
        return
    before = read_scan_snapshot(home.scan_snapshot_of(pack))
    folders = dict(before.folders) if before and before.environment == stamp else {}
    for start in starts:
        folders = {name: kept for name, kept in folders.items() if not is_at_or_below(name, start or ".")}
    write_scan_snapshot(home.scan_snapshot_of(pack), ScanSnapshot(stamp, folders | dict(snapshots)))


def snapshot_away(photos: int) -> FolderSnapshot:
    """Return the snapshot of a folder on a disk that is away: the next scan that finds it compares its photos."""
    return FolderSnapshot("", photos, None)


def _snapshot_folder(home: LibraryHome, listing: FolderListing, photos: int, pack: str) -> FolderSnapshot:
    name = cache_file_name(pack)
    beside = next(((size, time) for found, size, time in listing.caches if found == name), None)
    is_external = home.has_cache_dir or not beside or is_absolute_posix(listing.rel_path)
    away = _external_cache_stamp(home, listing.rel_path, name) if is_external else None
    return FolderSnapshot(listing.digest, photos, away or beside)


def _external_cache_stamp(home: LibraryHome, folder: str, name: str) -> tuple[int, int] | None:
    root = home.roots.root_of(folder)
    places = home.cache_folders_of(root) if root else [place / FOLDERS_NAME for place in home.homes]
    below = home.roots.split(folder)[1]
    return next(filter(None, (file_stamp(place / below / name) for place in places)), None)


def environment_stamp(home: LibraryHome, pack: str, precision: str) -> str:
    """Describe everything else that a scan's result depends on.

    That is the version, the models, the precision, the installed decoders, whether videos are scanned, the journals,
    and which libraries keep their files in other places: they may be nested in this one.
    """
    own = data_folder() / MODELS_FOLDER / pack / MANIFEST_NAME
    manifests = [own, *(folder / f"{pack}.toml" for folder in bundled_folders())]
    models = [pack, precision, *map(_manifest_stamp, manifests)]
    extras = [find_spec(name) is not None for name in EXTRA_MODULES.values()]
    journals = [file_stamp(place / home.journal.name) for place in home.homes]
    elsewhere = [file_stamp(folder) for folder in (libraries_folder(), saved_cache_dirs_folder())]
    return repr((__version__, models, extras, scans_videos(home.root), journals, elsewhere, os.fspath(home.home)))


def _manifest_stamp(path: Path) -> tuple[int, int] | None:
    """Return size and modification time (ns) of a pack's manifest, perhaps behind a symlink; None if missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns
