"""Find everything faceclust has written about a library, and erase faces from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from faceclust.errors import CacheError
from faceclust.files.atomic import TEMPORARY_SUFFIX, remove_file
from faceclust.files.names import HOME_FOLDER, HOME_MARKER, is_cache_file_name, is_hidden_or_system_folder
from faceclust.files.output_files import is_abandoned_output
from faceclust.files.own_files import is_own_folder, translate_os_errors, walk_own
from faceclust.files.safe_paths import join_posix, relative_posix
from faceclust.store.clusters import erase_from_clusters
from faceclust.store.folder_cache import (
    FolderCache,
    UnusableCacheError,
    is_unfinished_cache,
    may_hold_forgotten,
    read_any_cache,
    read_cache_info,
)
from faceclust.store.home import FOLDERS_NAME, SET_ASIDE_NAME, LibraryHome
from faceclust.store.library_table import OCCURRENCE_COLUMNS, is_forgotten, iter_occurrences
from faceclust.store.locations import CachePaths, NestedHomes
from faceclust.store.roots_file import ROOTS_NAME
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence


@dataclass(frozen=True)
class LibraryTraces:
    """The files that hold data about a library.

    `homes`: of the library and of all folders in it that used to be libraries themselves.
    `caches`: cache files, each with its photo folder (POSIX path below the root).
    `leftovers`: files that nothing reads: caches set aside, unfinished files, torn journal lines.
    """

    homes: tuple[Path, ...]
    caches: tuple[tuple[Path, str], ...]
    leftovers: tuple[Path, ...]


def find_traces(home: LibraryHome) -> LibraryTraces:
    """Search every folder of a library, including those that scans skip. Raises CacheError if one cannot be listed."""
    with translate_os_errors():
        homes, caches, leftovers = _search_photo_folders(home)
        existing = {path: folder for path, folder in homes.items() if is_own_folder(path)}
        for start, folder in existing.items():
            _search_home(home, start, folder, caches, leftovers)
    return LibraryTraces(tuple(existing), tuple(sorted(caches.items())), tuple(sorted(leftovers)))


def _search_photo_folders(home: LibraryHome) -> tuple[dict[Path, str], dict[Path, str], list[Path]]:
    """Return the possible homes and the caches beside photos, each with its folder, and the leftovers."""
    homes: dict[Path, str] = dict.fromkeys(home.homes, "")
    caches: dict[Path, str] = {}
    leftovers: list[Path] = []
    nested = NestedHomes()
    for path, folders, files in walk_own(home.root, lambda error: _require_skipped_by_scans(home.root, error)):
        if HOME_MARKER in files and path not in homes:
            folders.clear()  # the home of another library
            continue
        folder = relative_posix(home.root, path)
        homes |= {found: folder for found in nested.find(path, folders) if found not in homes}
        if HOME_FOLDER in folders:
            folders.remove(HOME_FOLDER)
        caches |= {path / name: folder for name in files if is_cache_file_name(name)}
        leftovers += [path / name for name in files if is_unfinished_cache(name) or is_abandoned_output(path / name)]
    return homes, caches, leftovers


def _require_skipped_by_scans(root: Path, error: OSError) -> None:
    """Raise an error about a folder, unless no permission is given for a folder that scans skip, such as
    the wastebasket of another user: faceclust cannot have written there."""
    parts = Path(error.filename).relative_to(root).parts
    is_skipped = any(map(is_hidden_or_system_folder, parts))
    if not (isinstance(error, PermissionError) and is_skipped):
        raise error


def _search_home(library: LibraryHome, home: Path, folder: str, caches: dict[Path, str], leftovers: list[Path]) -> None:
    """Add the caches and leftovers in the home of the library that is `folder` of this one. A cache of an additional
    root that is no longer listed is a leftover."""
    roots = {root.id: root.path for root in library.roots.additional}
    for path, _, files in walk_own(home):
        subfolder, _, rest = relative_posix(home, path).partition("/")
        if subfolder == ROOTS_NAME:
            root, _, below = rest.removesuffix(f"/{FOLDERS_NAME}").partition(f"/{FOLDERS_NAME}/")
            found = [path / name for name in files if is_cache_file_name(name)]
            if home in library.homes and root not in roots:
                leftovers += found
            else:
                photo_folder = join_posix(roots[root], below) if root in roots else f"/{root}/{below}"
                caches |= dict.fromkeys(found, photo_folder.removesuffix("/"))
        if subfolder == FOLDERS_NAME:
            photo_folder = "/".join(filter(None, (folder, rest)))
            caches |= {path / name: photo_folder for name in files if is_cache_file_name(name)}
        leftovers += [
            path / name for name in files if subfolder == SET_ASIDE_NAME or name.endswith((TEMPORARY_SUFFIX, ".torn"))
        ]


def read_faces_on_photos(cache: Path, folder: str, photo_hashes: Collection[str]) -> Iterator[FaceOccurrence]:
    """Read the faces, without forgotten ones, of the photos with these content hashes.
    Raises as `read_any_cache` does."""
    rows = _read_occurrence_rows(cache, folder)
    wanted = pc.is_in(rows["photo_hash"], value_set=pa.array(list(photo_hashes), pa.string()))
    return iter_occurrences(rows.filter(pc.and_(wanted, pc.is_valid(rows["quality"]))))


def read_occurrences_of(cache: Path, folder: str, face_ids: Collection[str]) -> Iterator[FaceOccurrence]:
    """Read the occurrences of these faces in a cache file of any pack.
    Raises as `read_any_cache` does."""
    rows = _read_occurrence_rows(cache, folder)
    return iter_occurrences(rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(list(face_ids), pa.string()))))


def read_forgotten(cache: Path, folder: str) -> Iterator[FaceOccurrence]:
    """Read the forgotten faces of a cache file. Raises as `read_any_cache` does."""
    if not may_hold_forgotten(cache):
        return iter(())
    rows = _read_occurrence_rows(cache, folder)
    return iter_occurrences(rows.filter(is_forgotten(rows)))


def _read_occurrence_rows(cache: Path, folder: str) -> pa.Table:
    rows = read_any_cache(cache)[1].select([name for name in OCCURRENCE_COLUMNS if name != "folder"])
    # Folders whose names are not UTF-8 are erased too. No journal holds their paths, so that escapes will do.
    name = folder.encode(errors="backslashreplace").decode()
    return rows.add_column(0, "folder", pa.array([name] * len(rows), pa.string()))


def erase_from_cache(cache: Path, face_ids: Collection[str]) -> None:
    """Erase all but the boxes of these faces from a cache file of any pack. An unusable file is
    deleted. Raises CacheError if the file cannot be written."""
    try:
        FolderCache(CachePaths(cache, (), cache), read_cache_info(cache)).forget_faces(face_ids)
    except UnusableCacheError:
        remove_file(cache)


def erase_from_home(home: Path, face_ids: Collection[str], thumbnail_ids: Collection[str]) -> Iterator[CacheError]:
    """Erase faces from the clusterings of a home and delete these thumbnails; yield each failure."""
    for path in (home / "clusters.parquet", home / "clusters-before.parquet"):
        try:
            erase_from_clusters(path, face_ids)
        except CacheError as error:
            yield error
    thumbs = ThumbStore(home / "thumbs")
    for face in thumbnail_ids:
        try:
            remove_file(thumbs.path(face))
        except CacheError as error:
            yield error
