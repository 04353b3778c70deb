"""One folder's `.faceclust.parquet`: what is known of its photos."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import CacheError, NewerCacheError
from faceclust.files.atomic import TEMPORARY_SUFFIX, make_private_folder, write_atomically
from faceclust.files.names import has_cache_prefix
from faceclust.store.locations import CachePaths
from faceclust.store.schema import (
    UNKNOWN_PHOTO,
    CachedPhoto,
    CacheInfo,
    concatenate,
    convert_table,
    encode_parquet,
    folder_schema,
    migrate_table,
    parse_cache_info,
    photos_to_table,
    read_cached_photos,
    read_scanned_photos,
    stored_name,
    table_precision,
    without_biometrics,
    without_photos,
)
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto


class UnusableCacheError(Exception):
    """The file is there but is not a cache this pack can go on from; the message says why."""


class OutdatedCacheError(UnusableCacheError):
    """It was made with this pack, but with other files or settings of it."""


def is_unfinished_cache(name: str) -> bool:
    """Is this the name of a cache that was being written?"""
    return has_cache_prefix(name) and name.endswith(TEMPORARY_SUFFIX)


class FolderCache:
    """The cache of one folder, for faces of the pack `info` describes."""

    def __init__(self, paths: CachePaths, info: CacheInfo) -> None:
        self.paths, self.info = paths, info
        self._unusable = False
        #: What numbers the file's embeddings were when it was last read, None where there was none.
        self.stored_precision: str | None = None

    def index(self) -> dict[str, CachedPhoto]:
        """What is known of each photo, by file name. Empty without a cache. Raises
        UnusableCacheError; the whole file is checked."""
        return read_cached_photos(self.read())

    def photos(self, names: Iterable[str] | None = None) -> Iterator[ScannedPhoto]:
        """The scanned photos with these file names, None for all, as they were when they were put
        in, but for what the cache does not keep. Raises UnusableCacheError."""
        return read_scanned_photos(self.read(), names, self.info)

    def update(self, keep: Iterable[PhotoRef], new: Mapping[PhotoRef, ScannedPhoto | SkippedPhoto]) -> None:
        """Rewrite the file: the rows of the photos in `keep` and the rows of `new`, which take
        the place of what was known of the same photos. A folder left without photos keeps no
        file. Raises CacheError where the disk does not take it."""
        old = self.read()
        renewed = {stored_name(ref) for ref in new}
        kept = pa.array([name for ref in keep if (name := stored_name(ref)) not in renewed], pa.string())
        old = old.filter(pc.is_in(old["photo"], value_set=kept))
        table = concatenate([old, photos_to_table(new.values(), self.info)])
        if not len(table):
            self._remove(self.paths.write_path, *self.paths.other_paths)
            if self.existing_path is None:
                return  # else an empty file has to stand before one that cannot be removed
        self._write(table)

    def forget_faces(self, face_ids: Collection[str]) -> None:
        """Keep only the places of these faces. Raises CacheError where the disk does not take it,
        UnusableCacheError."""
        self._write(without_biometrics(self.read(), face_ids))

    def remove_photos(self, names: Collection[str]) -> None:
        """Take out the rows of these photos, by the names they have in the cache. Raises CacheError
        where the disk does not take it, UnusableCacheError."""
        self._write(without_photos(self.read(), names))

    def _write(self, table: pa.Table) -> None:
        if not self.paths.write_path.parent.exists():
            make_private_folder(self.paths.write_path.parent)
        table = table.sort_by([("photo", "ascending"), ("face", "ascending")])
        content = encode_parquet(table)
        write_atomically(self.paths.write_path, lambda stream: stream.write(content))
        self._remove(*self.paths.other_paths)  # what they know is out of date from now on
        self._unusable = False

    def set_aside(self) -> None:
        """Move an unusable file out of the photos' way; from now on it counts as none."""
        path = self.existing_path or self.paths.write_path
        self._unusable = True
        if path not in self.paths.protected_paths:
            with contextlib.suppress(OSError, CacheError):
                make_private_folder(self.paths.set_aside_path.parent)
                shutil.move(path, self.paths.set_aside_path)

    def discard_outdated(self) -> dict[str, CachedPhoto]:
        """Take an outdated file for none from now on: the next update replaces it. Gives an index of
        its photos by which all of them are to be done again."""
        path = self.existing_path
        self._unusable = True
        try:
            names = read_photo_names(path) if path else set()
        except UnusableCacheError:
            names = set()
        return dict.fromkeys(names, UNKNOWN_PHOTO)

    def read(self) -> pa.Table:
        """All rows, sorted by photo and face, as this pack and precision have them. Raises
        UnusableCacheError, NewerCacheError."""
        rows = self.read_stored()
        with _translate_errors(self.existing_path or self.paths.write_path):
            rescaled = self.stored_precision is not None and parse_cache_info(rows.schema).radius != self.info.radius
            return convert_table(rows, self.info, rescale=rescaled)

    def read_stored(self) -> pa.Table:
        """The same in the file's own precision and scale, of which its metadata tell."""
        path = None if self._unusable else self.existing_path
        self.stored_precision = None
        if path is None:
            return folder_schema(self.info).empty_table()
        rows = read_cache(path, self.info)
        self.stored_precision = table_precision(rows)
        return rows

    @property
    def changes_precision(self) -> bool:
        """Whether the next writing gives the embeddings of the file that was read another precision."""
        return self.stored_precision not in (None, self.info.precision)

    def _remove(self, *paths: Path) -> None:
        for path in set(paths) - self.paths.protected_paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def existing_path(self) -> Path | None:
        """The file that is read."""
        return self.paths.existing_path


def read_photo_names(path: Path) -> set[str]:
    """The file names of the photos that a cache file of any models knows. Raises UnusableCacheError."""
    with _translate_errors(path):
        return set(pq.read_table(path, columns=["photo"])["photo"].to_pylist())


def read_cache_info(path: Path) -> CacheInfo:
    """What a cache file says of itself. Raises UnusableCacheError, NewerCacheError."""
    with _translate_errors(path):
        return parse_cache_info(pq.read_schema(path))


def read_cache(path: Path, info: CacheInfo) -> pa.Table:
    """All rows of a cache file of these models, their embeddings in its own precision and scale,
    whichever `info` names. Raises UnusableCacheError, NewerCacheError."""
    with _translate_errors(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        found = parse_cache_info(file.schema_arrow)
        if found.pack != info.pack:
            raise ValueError(f"it was made with other models ({found.pack})")
        if found.fingerprint != info.fingerprint:
            raise OutdatedCacheError(f"{path}: it was made with an older version of the models")
        if found.dimension != info.dimension:
            raise ValueError(f"its embeddings have {found.dimension} numbers, those of {info.pack} {info.dimension}")
        return migrate_table(file.read(), found)


@contextlib.contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except NewerCacheError as error:
        raise NewerCacheError(f"{path}: {error}", error.hint) from error
    except (TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise UnusableCacheError(f"{path}: {error}") from error
