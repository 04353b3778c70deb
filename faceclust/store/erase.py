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
from faceclust.files.atomic import TEMPORARY, remove
from faceclust.files.names import HOME_MARK, HOME_NAME, is_cache
from faceclust.store.clusters import forget_in_clusters
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, is_unfinished, made_by
from faceclust.store.home import FOLDERS, SET_ASIDE, LibraryHome
from faceclust.store.library_table import PLACE, face_places, is_forgotten
from faceclust.store.locations import CachePaths, PartHomes
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FacePlace


@dataclass(frozen=True)
class Traces:
    """`homes`: of the library and of all folders in it that were libraries of their own.
    `caches`: files, each with the folder (POSIX path below the root) its photos lie in.
    `leftovers`: caches set aside, half-written files and half lines, which nothing reads."""

    homes: tuple[Path, ...]
    caches: tuple[tuple[Path, str], ...]
    leftovers: tuple[Path, ...]


def find_traces(home: LibraryHome) -> Traces:
    """Look through every folder, also those a scan passes by."""
    homes: dict[Path, str] = dict.fromkeys(home.homes, "")
    caches: dict[Path, str] = {}
    leftovers: list[Path] = []
    parts = PartHomes()
    for path, folders, files in os.walk(home.root):
        if HOME_MARK in files and Path(path) not in homes:
            folders.clear()  # what is kept of another library
            continue
        folder = _below(home.root, Path(path))
        homes |= {place: folder for place in parts.of(path, folders) if place not in homes}
        if HOME_NAME in folders:
            folders.remove(HOME_NAME)
        caches |= {Path(path) / name: folder for name in files if is_cache(name)}
        leftovers += [Path(path) / name for name in files if is_unfinished(name)]
    here = {path: folder for path, folder in homes.items() if os.path.isdir(path)}
    for start, folder in here.items():
        for path, _, files in os.walk(start):
            below = _below(start, Path(path))
            kind, _, rest = below.partition("/")
            if kind == FOLDERS:
                of = "/".join(filter(None, (folder, rest)))
                caches |= {Path(path) / name: of for name in files if is_cache(name)}
            unread = (Path(path) / name for name in files if kind == SET_ASIDE or name.endswith((TEMPORARY, ".torn")))
            leftovers += unread
    return Traces(tuple(here), tuple(sorted(caches.items())), tuple(sorted(leftovers)))


def _below(start: Path, path: Path) -> str:
    below = path.relative_to(start).as_posix()
    return "" if below == "." else below


def faces_on(cache: Path, folder: str, photo_hashes: Collection[str]) -> Iterator[FacePlace]:
    """The faces, other than forgotten ones, that a cache file knows on photos with these contents.
    Raises UnusableCacheError for what is no cache."""
    rows = _places(cache, folder)
    wanted = pc.is_in(rows["photo_hash"], value_set=pa.array(list(photo_hashes), pa.string()))
    return face_places(rows.filter(pc.and_(wanted, pc.is_valid(rows["quality"]))))


def places_of_faces(cache: Path, folder: str, face_ids: Collection[str]) -> Iterator[FacePlace]:
    """The places of these faces that a cache file of any models knows. Raises UnusableCacheError for
    what is no cache."""
    rows = _places(cache, folder)
    return face_places(rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(list(face_ids), pa.string()))))


def forgotten_in(cache: Path, folder: str) -> Iterator[FacePlace]:
    """The forgotten faces of a cache file. Raises UnusableCacheError for what is no cache."""
    if not _may_hold_forgotten(cache):
        return iter(())
    rows = _places(cache, folder)
    return face_places(rows.filter(is_forgotten(rows)))


def _places(cache: Path, folder: str) -> pa.Table:
    made_by(cache)  # or it is no cache
    try:
        rows = pq.read_table(cache, columns=[name for name in PLACE if name != "folder"])
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
        FolderCache(CachePaths(cache, (), cache), made_by(cache)).forget(face_ids)
    except UnusableCacheError:
        remove(cache)


def erase_from_home(home: Path, face_ids: Collection[str], pictures: Collection[str]) -> Iterator[CacheError]:
    """Take faces out of the clusterings of a home, and remove these pictures; gives what failed."""
    for path in (home / "clusters.parquet", home / "clusters-before.parquet"):
        try:
            forget_in_clusters(path, face_ids)
        except CacheError as error:
            yield error
    thumbs = ThumbStore(home / "thumbs")
    for face in pictures:
        try:
            remove(thumbs.path(face))
        except CacheError as error:
            yield error
