"""One folder's `.faceclust.parquet`: what is known of its photos."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import CacheError
from faceclust.store.files import private_folder, write_atomically
from faceclust.store.schema import (
    CacheInfo,
    concatenate,
    folder_schema,
    parquet_bytes,
    read_info,
    rows_to_table,
    stored_name,
    without_likeness,
)
from faceclust.types import PASSING_REASONS, PhotoRef, ScannedPhoto, SkippedPhoto

FILE_NAME = ".faceclust.parquet"


class UnusableCacheError(Exception):
    """The file is there but is not a cache this pack can go on from; the message says why."""


@dataclass(frozen=True)
class CachePaths:
    """Where a folder's cache is written, where else one may be read from, and where one goes
    that cannot be used."""

    write: Path
    others: tuple[Path, ...]
    aside: Path


class FolderCache:
    """The cache of one folder, for faces of the pack `info` describes."""

    def __init__(self, paths: CachePaths, info: CacheInfo) -> None:
        self.paths, self.info = paths, info
        self._unusable = False

    def index(self) -> dict[str, tuple[int, int]]:
        """File name → (size, mtime in ns) of each photo known, a pair no photo has where it is to
        be tried again. Empty without a cache. Raises UnusableCacheError; the whole file is checked."""
        table = self.read()
        columns = (table[name].to_pylist() for name in ("photo", "photo_size", "photo_mtime_ns", "status"))
        return {
            name: (-1, -1) if status in PASSING_REASONS else (size, time)
            for name, size, time, status in zip(*columns, strict=True)
        }

    def update(self, keep: Iterable[PhotoRef], new: Mapping[PhotoRef, ScannedPhoto | SkippedPhoto]) -> None:
        """Rewrite the file: the rows of the photos in `keep` and the rows of `new`, which take
        the place of what was known of the same photos. A folder left without photos keeps no
        file. Raises CacheError where the disk does not take it."""
        old = self.read()
        renewed = {stored_name(ref) for ref in new}
        kept = pa.array([name for ref in keep if (name := stored_name(ref)) not in renewed], pa.string())
        old = old.filter(pc.is_in(old["photo"], value_set=kept))
        table = concatenate([old, rows_to_table(new.values(), self.info)])
        if not len(table):
            self._remove(self.paths.write, *self.paths.others)
            if self.existing is None:
                return  # else an empty file has to stand before one that cannot be removed
        self._write(table)

    def forget(self, face_ids: Collection[str]) -> None:
        """Keep only the places of these faces. Raises CacheError where the disk does not take it,
        UnusableCacheError."""
        self._write(without_likeness(self.read(), face_ids))

    def _write(self, table: pa.Table) -> None:
        if not self.paths.write.parent.exists():
            private_folder(self.paths.write.parent)
        table = table.sort_by([("photo", "ascending"), ("face", "ascending")])
        content = parquet_bytes(table)
        write_atomically(self.paths.write, lambda stream: stream.write(content))
        self._remove(*self.paths.others)  # what they know is out of date from now on
        self._unusable = False

    def set_aside(self) -> None:
        """Move an unusable file out of the photos' way; from now on it counts as none."""
        self._unusable = True
        with contextlib.suppress(OSError, CacheError):
            private_folder(self.paths.aside.parent)
            shutil.move(self.existing or self.paths.write, self.paths.aside)

    def read(self) -> pa.Table:
        """All rows, sorted by photo and face. Raises UnusableCacheError."""
        schema = folder_schema(self.info)
        path = None if self._unusable else self.existing
        if path is None:
            return schema.empty_table()
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                found = read_info(file.schema_arrow)
                if found.fingerprint != self.info.fingerprint:
                    raise ValueError(f"it was made with other models ({found.pack})")
                if file.schema_arrow.names != schema.names:
                    raise ValueError("its columns are not the expected ones")
                # Parquet keeps some types a little differently, such as the names inside lists.
                return file.read().cast(schema)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UnusableCacheError(f"{path}: {error}") from error

    @staticmethod
    def _remove(*paths: Path) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def existing(self) -> Path | None:
        """The file that is read."""
        return next((path for path in (self.paths.write, *self.paths.others) if os.path.exists(path)), None)
