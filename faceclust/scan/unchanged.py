"""Telling from names, sizes and times alone that a scan has nothing to do.

Nothing heavy is imported here, and no photo and no cache is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from faceclust.files.names import (
    DEFAULT_PACK,
    DEFAULT_PRECISION,
    EXTRA_MODULES,
    MANIFEST_NAME,
    MODELS_FOLDER,
    cache_file_name,
)
from faceclust.packs.bundled import bundled_folders
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
from faceclust.store.settings import pack_in_use, precision_in_use
from faceclust.version import __version__


def scan_if_unchanged(
    home: LibraryHome, folders: Iterable[str | os.PathLike[str]] = (), pack: str | None = None
) -> ScanResult | None:
    """Scan folders of a library, if nothing in them has changed since the last scan.

    `folders`: default the whole library. `pack`: the name of the models, default those in use.
    Return None if something may have changed. Raises UsageError for a folder outside the library.
    """
    starts = [relative_folder(home.root, Path(folder)) for folder in folders] or [""]
    return scan_unchanged(home, starts, pack or pack_in_use(home.root).value, precision_in_use(home.root).value)


def scan_unchanged(
    home: LibraryHome, starts: Iterable[str], pack: str = DEFAULT_PACK, precision: str = DEFAULT_PRECISION
) -> ScanResult | None:
    """The scan of these folders by these models, to be kept in this precision, where there is
    nothing to do; None where something may have changed."""
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
    """How many photos these folders (POSIX paths below the root) hold, where all are as the last
    scan left them; None where something may have changed."""
    seen = read_scan_snapshot(home.scan_snapshot_of(pack))
    if seen is None or seen.environment != environment_stamp(home, pack, precision):
        return None
    count, met = 0, set()
    for start in starts:
        for listing in list_folders(home.root, start):
            before = seen.folders.get(listing.rel_path)
            if listing.error or before is None or before != _snapshot_folder(home, listing, before.photo_count, pack):
                return None
            if listing.is_library and listing.rel_path:  # a library of its own, with a journal
                return None
            if listing.rel_path not in met:
                met.add(listing.rel_path)
                count += before.photo_count
        below = f"{start}/" if start else ""
        if any(name not in met and (name == start or name.startswith(below)) for name in seen.folders):
            return None
    return count


def update_snapshot(
    home: LibraryHome, pack: str, starts: Iterable[str], snapshots: Mapping[str, FolderSnapshot], stamp: str
) -> None:
    """Keep, for the next scan, the folders all of whose photos are in their caches. What was seen
    before of folders not below `starts` stays. `stamp`: the surroundings when the scan began."""
    if home.has_nested_libraries():
        home.scan_snapshot_of(pack).unlink(missing_ok=True)
        return
    before = read_scan_snapshot(home.scan_snapshot_of(pack))
    folders = dict(before.folders) if before and before.environment == stamp else {}
    for start in starts:
        below = f"{start}/" if start else ""
        folders = {name: kept for name, kept in folders.items() if name != start and not name.startswith(below)}
    write_scan_snapshot(home.scan_snapshot_of(pack), ScanSnapshot(stamp, folders | dict(snapshots)))


def _snapshot_folder(home: LibraryHome, listing: FolderListing, photos: int, pack: str) -> FolderSnapshot:
    name = cache_file_name(pack)
    beside = next(((size, time) for found, size, time in listing.caches if found == name), None)
    away = _external_cache_stamp(home, listing.rel_path, name) if home.has_cache_dir or not beside else None
    return FolderSnapshot(listing.digest, photos, away or beside)


def _external_cache_stamp(home: LibraryHome, folder: str, name: str) -> tuple[int, int] | None:
    stamps = (file_stamp(place / FOLDERS_NAME / folder / name) for place in home.homes)
    return next(filter(None, stamps), None)


def environment_stamp(home: LibraryHome, pack: str, precision: str) -> str:
    """What else a scan hangs on: the version, the models, how embeddings are kept, what decoders there
    are, the journals, and which libraries, maybe in parts of this one, have their files in other
    places."""
    own = platformdirs.user_data_path("faceclust") / MODELS_FOLDER / pack / MANIFEST_NAME
    models = [pack, precision, *map(file_stamp, (own, *(folder / f"{pack}.toml" for folder in bundled_folders())))]
    extras = [find_spec(name) is not None for name in EXTRA_MODULES.values()]
    journals = [file_stamp(place / home.journal.name) for place in home.homes]
    elsewhere = [file_stamp(folder) for folder in (libraries_folder(), saved_cache_dirs_folder())]
    return repr((__version__, models, extras, journals, elsewhere, os.fspath(home.home)))
