"""Everything faceclust has written about a library, and taking faces out of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import CacheError
from faceclust.files.atomic import TEMPORARY_SUFFIX, remove_file
from faceclust.files.names import HOME_FOLDER, HOME_MARKER, is_cache_file_name
from faceclust.store.clusters import erase_from_clusters
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, is_unfinished_cache, read_cache_info
from faceclust.store.home import FOLDERS_NAME, SET_ASIDE_NAME, LibraryHome
from faceclust.store.library_table import OCCURRENCE_COLUMNS, is_forgotten, iter_occurrences
from faceclust.store.locations import CachePaths, NestedHomes
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence


@dataclass(frozen=True)
class LibraryTraces:
    """`homes`: of the library and of all folders in it that were libraries of their own.
    `caches`: files, each with the folder (POSIX path below the root) its photos lie in.
    `leftovers`: caches set aside, half-written files and half lines, which nothing reads."""

    homes: tuple[Path, ...]
    caches: tuple[tuple[Path, str], ...]
    leftovers: tuple[Path, ...]


def find_traces(home: LibraryHome) -> LibraryTraces:
    """Look through every folder, also those a scan passes by."""
    homes: dict[Path, str] = dict.fromkeys(home.homes, "")
    caches: dict[Path, str] = {}
    leftovers: list[Path] = []
    parts = NestedHomes()
    for path, folders, files in os.walk(home.root):
        if HOME_MARKER in files and Path(path) not in homes:
            folders.clear()  # what is kept of another library
            continue
        folder = _relative_posix(home.root, Path(path))
        homes |= {place: folder for place in parts.find(path, folders) if place not in homes}
        if HOME_FOLDER in folders:
            folders.remove(HOME_FOLDER)
        caches |= {Path(path) / name: folder for name in files if is_cache_file_name(name)}
        leftovers += [Path(path) / name for name in files if is_unfinished_cache(name)]
    here = {path: folder for path, folder in homes.items() if os.path.isdir(path)}
    for start, folder in here.items():
        for path, _, files in os.walk(start):
            below = _relative_posix(start, Path(path))
            kind, _, rest = below.partition("/")
            if kind == FOLDERS_NAME:
                of = "/".join(filter(None, (folder, rest)))
                caches |= {Path(path) / name: of for name in files if is_cache_file_name(name)}
            unread = (
                Path(path) / name
                for name in files
                if kind == SET_ASIDE_NAME or name.endswith((TEMPORARY_SUFFIX, ".torn"))
            )
            leftovers += unread
    return LibraryTraces(tuple(here), tuple(sorted(caches.items())), tuple(sorted(leftovers)))


def _relative_posix(start: Path, path: Path) -> str:
    below = path.relative_to(start).as_posix()
    return "" if below == "." else below


def read_faces_on_photos(cache: Path, folder: str, photo_hashes: Collection[str]) -> Iterator[FaceOccurrence]:
    """The faces, other than forgotten ones, that a cache file knows on photos with these contents.
    Raises UnusableCacheError for what is no cache."""
    rows = _read_occurrence_rows(cache, folder)
    wanted = pc.is_in(rows["photo_hash"], value_set=pa.array(list(photo_hashes), pa.string()))
    return iter_occurrences(rows.filter(pc.and_(wanted, pc.is_valid(rows["quality"]))))


def read_occurrences_of(cache: Path, folder: str, face_ids: Collection[str]) -> Iterator[FaceOccurrence]:
    """The places of these faces that a cache file of any models knows. Raises UnusableCacheError for
    what is no cache."""
    rows = _read_occurrence_rows(cache, folder)
    return iter_occurrences(rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(list(face_ids), pa.string()))))


def read_forgotten(cache: Path, folder: str) -> Iterator[FaceOccurrence]:
    """The forgotten faces of a cache file. Raises UnusableCacheError for what is no cache."""
    if not _may_hold_forgotten(cache):
        return iter(())
    rows = _read_occurrence_rows(cache, folder)
    return iter_occurrences(rows.filter(is_forgotten(rows)))


def _read_occurrence_rows(cache: Path, folder: str) -> pa.Table:
    read_cache_info(cache)  # or it is no cache
    try:
        rows = pq.read_table(cache, columns=[name for name in OCCURRENCE_COLUMNS if name != "folder"])
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UnusableCacheError(f"{cache}: {error}") from error
    return rows.add_column(0, "folder", pa.array([folder] * len(rows), pa.string()))


def _may_hold_forgotten(cache: Path) -> bool:
    """By the counts in the file's footer: rows with a face but without a quality."""
    try:
        footer = pq.read_metadata(cache)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UnusableCacheError(f"{cache}: {error}") from error
    nulls = {"face_id": 0, "quality": 0}
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            chunk = footer.row_group(group).column(column)
            if chunk.path_in_schema in nulls:
                if chunk.statistics is None or not chunk.statistics.has_null_count:
                    return True
                nulls[chunk.path_in_schema] += chunk.statistics.null_count
    return nulls["quality"] > nulls["face_id"]


def erase_from_cache(cache: Path, face_ids: Collection[str]) -> None:
    """Keep only the places of these faces in a cache file of any models. Raises CacheError where the
    disk does not take it."""
    try:
        FolderCache(CachePaths(cache, (), cache), read_cache_info(cache)).forget_faces(face_ids)
    except UnusableCacheError:
        remove_file(cache)


def erase_from_home(home: Path, face_ids: Collection[str], thumbnail_ids: Collection[str]) -> Iterator[CacheError]:
    """Take faces out of the clusterings of a home, and remove these pictures; gives what failed."""
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
