"""Telling from names, sizes and times alone that a scan has nothing to do.

Nothing heavy is imported here, and no photo and no cache is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

import platformdirs

from faceclust.files.names import (
    DEFAULT_PACK,
    DEFAULT_PRECISION,
    EXTRA_MODULES,
    MANIFEST_NAME,
    MODELS_FOLDER,
    cache_name,
)
from faceclust.packs.bundled import shipped_folders
from faceclust.scan.listing import Listing, list_folders
from faceclust.scan.result import ScanResult
from faceclust.store.find_library import remember_library
from faceclust.store.home import FOLDERS, LibraryHome
from faceclust.store.locations import libraries_folder, notes_folder
from faceclust.store.scan_snapshot import Seen, SeenFolder, file_stamp, read_seen, write_seen
from faceclust.version import __version__


def scan_unchanged(
    home: LibraryHome, starts: Iterable[str], pack: str = DEFAULT_PACK, precision: str = DEFAULT_PRECISION
) -> ScanResult | None:
    """The scan of these folders by these models, to be kept in this precision, where there is
    nothing to do; None where something may have changed."""
    began = time.monotonic()
    photos = unchanged_photos(home, starts, pack, precision)
    if photos is None:
        return None
    home.note_scan()
    remember_library(home.root)
    return ScanResult(photos=photos, unchanged=photos, elapsed=time.monotonic() - began)


def unchanged_photos(
    home: LibraryHome, starts: Iterable[str], pack: str = DEFAULT_PACK, precision: str = DEFAULT_PRECISION
) -> int | None:
    """How many photos these folders (POSIX paths below the root) hold, where all are as the last
    scan left them; None where something may have changed."""
    seen = read_seen(home.seen_by(pack))
    if seen is None or seen.stamp != surroundings(home, pack, precision):
        return None
    count, met = 0, set()
    for start in starts:
        for listing in list_folders(home.root, start):
            before = seen.folders.get(listing.rel_path)
            if listing.error or before is None or before != _as_seen(home, listing, before.photos, pack):
                return None
            if listing.is_library and listing.rel_path:  # a library of its own, with a journal
                return None
            if listing.rel_path not in met:
                met.add(listing.rel_path)
                count += before.photos
        below = f"{start}/" if start else ""
        if any(name not in met and (name == start or name.startswith(below)) for name in seen.folders):
            return None
    return count


def note_seen(home: LibraryHome, pack: str, starts: Iterable[str], found: Mapping[str, SeenFolder], stamp: str) -> None:
    """Keep, for the next scan, the folders all of whose photos are in their caches. What was seen
    before of folders not below `starts` stays. `stamp`: the surroundings when the scan began."""
    if home.has_parts():
        home.seen_by(pack).unlink(missing_ok=True)
        return
    before = read_seen(home.seen_by(pack))
    folders = dict(before.folders) if before and before.stamp == stamp else {}
    for start in starts:
        below = f"{start}/" if start else ""
        folders = {name: kept for name, kept in folders.items() if name != start and not name.startswith(below)}
    write_seen(home.seen_by(pack), Seen(stamp, folders | dict(found)))


def _as_seen(home: LibraryHome, listing: Listing, photos: int, pack: str) -> SeenFolder:
    name = cache_name(pack)
    beside = next(((size, time) for found, size, time in listing.caches if found == name), None)
    away = _away(home, listing.rel_path, name) if home.apart or not beside else None
    return SeenFolder(listing.digest, photos, away or beside)


def _away(home: LibraryHome, folder: str, name: str) -> tuple[int, int] | None:
    stamps = (file_stamp(place / FOLDERS / folder / name) for place in home.homes)
    return next(filter(None, stamps), None)


def surroundings(home: LibraryHome, pack: str, precision: str) -> str:
    """What else a scan hangs on: the version, the models, how embeddings are kept, what decoders there
    are, the journals, and which libraries, maybe in parts of this one, have their files in other
    places."""
    own = platformdirs.user_data_path("faceclust") / MODELS_FOLDER / pack / MANIFEST_NAME
    models = [pack, precision, *map(file_stamp, (own, *(folder / f"{pack}.toml" for folder in shipped_folders())))]
    extras = [find_spec(name) is not None for name in EXTRA_MODULES.values()]
    journals = [file_stamp(place / home.journal.name) for place in home.homes]
    elsewhere = [file_stamp(folder) for folder in (libraries_folder(), notes_folder())]
    return repr((__version__, models, extras, journals, elsewhere, os.fspath(home.home)))
