"""The folder cache, `.faceclust.PACK.parquet`: the scan results of one folder's photos."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from faceclust.errors import CacheError, NewerCacheError
from faceclust.files.atomic import TEMPORARY_SUFFIX, make_private_folder, write_private_atomically
from faceclust.files.names import has_cache_prefix
from faceclust.files.own_files import read_own, remove_own, rename_own, translate_os_errors
from faceclust.store.locations import CachePaths
from faceclust.store.parquet_file import MAX_FILE_SIZE, ParquetFile
from faceclust.store.row_rules import check_rows, keep_rules
from faceclust.store.schema import (
    TEXT_COLUMNS,
    UNKNOWN_PHOTO,
    CachedPhoto,
    CacheInfo,
    concatenate,
    convert_table,
    encode_parquet,
    file_schema,
    folder_schema,
    list_undated_photos,
    mark_dates_missing,
    migrate_table,
    parse_cache_info,
    photos_to_table,
    read_cached_photos,
    read_scanned_photos,
    stored_name,
    table_precision,
    with_dates,
    without_biometrics,
    without_photos,
)
from faceclust.types import Metadata, PhotoRef, ScannedPhoto, SkippedPhoto

#: Rows of small folders that are checked at once.
_BATCH_ROWS = 20_000


class UnusableCacheError(Exception):
    """The content of the file cannot be used. The message names the file and the reason."""


class OutdatedCacheError(UnusableCacheError):
    """The cache was made with other files or settings of this pack."""


def is_unfinished_cache(name: str) -> bool:
    """Is this the file name of a cache whose writing was interrupted?"""
    return has_cache_prefix(name) and name.endswith(TEMPORARY_SUFFIX)


class FolderCache:
    """The cache of one folder, for the pack that `info` describes."""

    def __init__(self, paths: CachePaths, info: CacheInfo) -> None:
        self.paths, self.info = paths, info
        self._unusable = False
        #: Precision of the embeddings in the file when it was last read; None without a file.
        self.stored_precision: str | None = None
        #: Scanned photos without a date when an older version's file was last read.
        self.undated_photos: frozenset[str] = frozenset()

    def index(self) -> dict[str, CachedPhoto]:
        """Return the photos by file name, without their faces; empty without a cache. Reads and
        checks the whole file. Raises UnusableCacheError."""
        return read_cached_photos(self.read())

    def photos(self, names: Iterable[str] | None = None) -> Iterator[ScannedPhoto]:
        """Return the scanned photos with these file names (None: all), except for what the cache
        does not store. Raises UnusableCacheError."""
        return read_scanned_photos(self.read(), names, self.info)

    def update(self, keep: Iterable[PhotoRef], new: Mapping[PhotoRef, ScannedPhoto | SkippedPhoto]) -> None:
        """Rewrite the file with the rows of the photos in `keep` and of `new`, which replace rows of
        the same photos. If no rows remain, the file is deleted. Raises CacheError if the file
        cannot be written, UnusableCacheError."""
        old = self.read()
        replaced = {stored_name(ref) for ref in new}
        kept = pa.array([name for ref in keep if (name := stored_name(ref)) not in replaced], pa.string())
        old = old.filter(pc.is_in(old["photo"], value_set=kept))
        table = concatenate([old, photos_to_table(new.values(), self.info)])
        if not len(table):
            self._remove(self.paths.write_path, *self.paths.other_paths)
            if self.existing_path is None:
                return  # otherwise an empty file must take precedence over one that cannot be removed
        self._write(table)

    def add_faces(self, photos: Iterable[ScannedPhoto]) -> None:
        """Add faces to photos that the file has: `photos` are results of the same contents, of which the faces
        that the file lacks (by id) are added. Other photos are left out, and so are faces with the id of a
        face that was detected on another photo: ids of a journal may come from anywhere. Raises CacheError if
        the file cannot be written, UnusableCacheError also if rows would break a rule."""
        old, new = self.read(), {stored_name(photo.ref): photo for photo in photos}
        photo_of = self._photos_of_detected_faces(old, {face for photo in new.values() for face in photo.face_ids})
        joined = {
            name: before.with_faces_of(_without_ids_of_others(new[name], photo_of))
            for before in read_scanned_photos(old, new, self.info)
            if before.content_hash == new[name := stored_name(before.ref)].content_hash
        }
        if joined:
            rows = _sort(concatenate([without_photos(old, joined), photos_to_table(joined.values(), self.info)]))
            with _translate_errors(self.existing_path or self.paths.write_path):
                check_rows(rows, self.info.radius)
            self._write(rows)

    @staticmethod
    def _photos_of_detected_faces(rows: pa.Table, face_ids: Collection[str]) -> dict[str, str]:
        """Face id → content hash of the photo, for those of these faces that a detector found."""
        ids = pa.array(list(face_ids), pa.string())
        found = rows.filter(pc.and_not(pc.is_in(rows["face_id"], value_set=ids), pc.fill_null(rows["by_hand"], False)))
        return dict(zip(found["face_id"].to_pylist(), found["photo_hash"].to_pylist(), strict=True))

    def forget_faces(self, face_ids: Collection[str]) -> None:
        """Erase all but the boxes of these faces; of faces drawn by hand, erase the boxes, too. Raises CacheError
        if the file cannot be written, UnusableCacheError."""
        self._write(without_biometrics(self._without_drawn_faces(face_ids), face_ids))

    def _without_drawn_faces(self, face_ids: Collection[str]) -> pa.Table:
        """The rows without those of these faces that were drawn by hand."""
        rows, ids = self.read(), pa.array(list(face_ids), pa.string())
        drawn = rows.filter(pc.and_(rows["by_hand"], pc.is_in(rows["face_id"], value_set=ids)))
        names, gone = drawn["photo"].unique().to_pylist(), set(drawn["face_id"].to_pylist())
        photos = [
            photo.take([i for i, face in enumerate(photo.face_ids) if face not in gone])
            for photo in read_scanned_photos(rows, names, self.info)
        ]
        return concatenate([without_photos(rows, names), photos_to_table(photos, self.info)]) if names else rows

    def set_dates(self, dates: Mapping[str, Metadata]) -> None:
        """Set the dates and their sources of photos, by name. Raises CacheError if the file cannot be
        written, UnusableCacheError."""
        self._write(with_dates(self.read(), dates), has_all_dates=True)

    def remove_photos(self, names: Collection[str]) -> None:
        """Remove the rows of the photos with these names, as stored in the cache. Raises CacheError
        if the file cannot be written, UnusableCacheError."""
        self._write(without_photos(self.read(), names))

    def _write(self, table: pa.Table, *, has_all_dates: bool = False) -> None:
        """`has_all_dates`: the dates outside of EXIF have been searched for in all photos."""
        make_private_folder(self.paths.write_path.parent)
        if self.undated_photos and not has_all_dates:
            table = mark_dates_missing(table)
        content = encode_parquet(_sort(table))
        write_private_atomically(self.paths.write_path, lambda stream: stream.write(content))
        self._remove(*self.paths.other_paths)  # they are out of date from now on
        self._unusable = False

    def set_aside(self) -> Path | None:
        """Move an unusable file to `set_aside_path`, and treat it as missing from now on. Return its new
        path, None if it had to stay."""
        path = self.existing_path or self.paths.write_path
        self._unusable = True
        if path in self.paths.protected_paths:
            return None
        try:
            make_private_folder(self.paths.set_aside_path.parent)
            _move(path, self.paths.set_aside_path)
        except (OSError, CacheError):  # the next write replaces it
            return None
        return self.paths.set_aside_path

    def discard_outdated(self) -> dict[str, CachedPhoto]:
        """Treat an outdated file as missing from now on; the next update replaces it. Return an index
        of its photos in which each needs a rescan."""
        path = self.existing_path
        self._unusable = True
        try:
            names = read_photo_names(path) if path else set()
        except UnusableCacheError:
            names = set()
        return dict.fromkeys(names, UNKNOWN_PHOTO)

    def read(self) -> pa.Table:
        """Read all rows, sorted by photo and face, with embeddings in the precision and radius of
        `info`. Raises UnusableCacheError, NewerCacheError."""
        rows = self.read_stored()
        with _translate_errors(self.existing_path or self.paths.write_path):
            rescaled = self.stored_precision is not None and parse_cache_info(rows.schema).radius != self.info.radius
            return convert_table(rows, self.info, rescale=rescaled)

    def read_stored(self, *, check: bool = True) -> pa.Table:
        """Read all rows with embeddings in the file's own precision and radius, given in its metadata.
        Without `check`, the rows may break rules. Raises as `read` does."""
        path = None if self._unusable else self.existing_path
        self.stored_precision, self.undated_photos = None, frozenset()
        if path is None:
            return folder_schema(self.info).empty_table()
        rows = read_cache(path, self.info, check=check)
        self.stored_precision = table_precision(rows)
        self.undated_photos = list_undated_photos(rows)
        return rows

    @property
    def changes_precision(self) -> bool:
        """Will the next write convert the embeddings to another precision?"""
        return self.stored_precision not in (None, self.info.precision)

    def _remove(self, *paths: Path) -> None:
        for path in set(paths) - self.paths.protected_paths:
            with contextlib.suppress(OSError):
                remove_own(path)

    @property
    def existing_path(self) -> Path | None:
        """The cache file to read; None if it is missing. Raises CacheError if the disk cannot be read."""
        with translate_os_errors():
            return self.paths.existing_path


def read_caches(
    caches: Iterable[tuple[str, FolderCache]], on_unusable: Callable[[UnusableCacheError], None]
) -> Iterator[tuple[str, pa.Table]]:
    """Yield each folder with its rows, as `read_stored` does. Calls `on_unusable` instead of raising
    UnusableCacheError. Rows are checked for several folders at once: each check has a fixed cost."""
    batch: list[tuple[str, FolderCache, pa.Table]] = []
    row_count = 0
    for folder, cache in caches:
        try:
            rows = cache.read_stored(check=False)
        except UnusableCacheError as error:
            on_unusable(error)
            continue
        batch.append((folder, cache, rows))
        row_count += len(rows)
        if row_count >= _BATCH_ROWS:
            yield from _check_batch(batch, on_unusable)
            batch, row_count = [], 0
    yield from _check_batch(batch, on_unusable)


def _check_batch(
    batch: Iterable[tuple[str, FolderCache, pa.Table]], on_unusable: Callable[[UnusableCacheError], None]
) -> Iterator[tuple[str, pa.Table]]:
    are_valid = keep_rules([(rows, parse_cache_info(rows.schema).radius) for _, _, rows in batch])
    for folder, cache, rows in batch:
        try:
            if not are_valid:
                with _translate_errors(cache.existing_path or cache.paths.write_path):
                    check_rows(rows, parse_cache_info(rows.schema).radius)
        except UnusableCacheError as error:
            on_unusable(error)
        else:
            yield folder, rows


def _sort(rows: pa.Table) -> pa.Table:
    return rows.sort_by([("photo", "ascending"), ("face", "ascending")])


def _without_ids_of_others(photo: ScannedPhoto, photo_of: Mapping[str, str]) -> ScannedPhoto:
    own = [i for i, face in enumerate(photo.face_ids) if photo_of.get(face, photo.content_hash) == photo.content_hash]
    return photo if len(own) == len(photo.face_ids) else photo.take(own)


def _move(path: Path, target: Path) -> None:
    try:
        rename_own(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        content = read_own(path, MAX_FILE_SIZE)
        write_private_atomically(target, lambda stream: stream.write(content))
        remove_own(path)


def read_photo_names(path: Path) -> set[str]:
    """Read the photo names in a cache file of any pack. Raises as `read_any_cache` does."""
    return set(read_any_cache(path)[1]["photo"].to_pylist())


def read_cache_info(path: Path) -> CacheInfo:
    """Read the metadata of a cache file. Raises as `read_any_cache` does."""
    with _translate_errors(path):
        return _open(path)[1]


def read_cache(path: Path, info: CacheInfo, *, check: bool = True) -> pa.Table:
    """Read all rows of a cache file made with the pack of `info`. Embeddings keep the file's
    precision and radius. Without `check`, the rows may break rules. Raises as `read_any_cache`
    does, and OutdatedCacheError."""
    with _translate_errors(path):
        file, found = _open(path)
        if found.pack != info.pack:
            raise ValueError(f"it was made with another pack ({found.pack})")
        if found.fingerprint != info.fingerprint:
            raise OutdatedCacheError(f"{path}: it was made with another version of the pack")
        if found.dimension != info.dimension:
            raise ValueError(f"its embeddings have dimension {found.dimension}, those of {info.pack} {info.dimension}")
        return _read_rows(file, found, check=check)


def read_any_cache(path: Path) -> tuple[CacheInfo, pa.Table]:
    """Read the metadata and all rows of a cache file of any pack.

    Every row keeps the rules of `row_rules`. Raises UnusableCacheError if the content is damaged or
    breaks a rule, NewerCacheError, CacheError if the disk cannot be read.
    """
    with _translate_errors(path):
        file, found = _open(path)
        return found, _read_rows(file, found)


def may_hold_forgotten(path: Path) -> bool:
    """Does a cache file have rows with a face but no quality? Judged by the statistics in its footer,
    which is faster than reading the rows. Raises as `read_any_cache` does."""
    with _translate_errors(path):
        file = _open(path)[0]
        faces, qualities = file.count_nulls("face_id"), file.count_nulls("quality")
        return faces is None or qualities is None or qualities > faces


def _open(path: Path) -> tuple[ParquetFile, CacheInfo]:
    file = ParquetFile(path, TEXT_COLUMNS)
    return file, parse_cache_info(file.schema)


def _read_rows(file: ParquetFile, info: CacheInfo, *, check: bool = True) -> pa.Table:
    rows = migrate_table(file.read(file_schema(file.schema, info)), info)
    if check:
        check_rows(rows, info.radius)
    return rows


@contextlib.contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Raise UnusableCacheError for any fault of a file's content."""
    try:
        yield
    except NewerCacheError as error:
        raise NewerCacheError(f"{path}: {error}", error.hint) from error
    except MemoryError:
        raise
    except FileNotFoundError as error:
        raise UnusableCacheError(f"{path}: it was deleted meanwhile") from error
    except (TypeError, ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise UnusableCacheError(f"{path}: {error}") from error
