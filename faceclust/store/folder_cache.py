"""One folder's `.faceclust.parquet`: what is known of its photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.store.files import private_folder, write_atomically
from faceclust.store.schema import (
    CacheInfo,
    concatenate,
    folder_schema,
    read_info,
    rows_to_table,
    stored_name,
)
from faceclust.types import PhotoRef, ScannedPhoto, SkippedPhoto

FILE_NAME = ".faceclust.parquet"


class UnusableCacheError(Exception):
    """The file is there but is not a cache this pack can go on from; the message says why."""


class FolderCache:
    """The cache file of one folder, at `path`, for faces of the pack `info` describes."""

    def __init__(self, path: Path, info: CacheInfo) -> None:
        self.path, self.info = path, info

    def index(self) -> dict[str, tuple[int, int]]:
        """File name → (size, mtime in ns) of each photo known. Empty where there is no cache."""
        table = self._read(["photo", "photo_size", "photo_mtime_ns"])
        names, sizes, times = (column.to_pylist() for column in table.columns)
        return dict(zip(names, zip(sizes, times, strict=True), strict=True))

    def read(self) -> pa.Table:
        """All rows, sorted by photo and face. Raises UnusableCacheError."""
        return self._read(None)

    def update(self, keep: Iterable[PhotoRef], new: Mapping[PhotoRef, ScannedPhoto | SkippedPhoto]) -> None:
        """Rewrite the file: the rows of the photos in `keep` and the rows of `new`, which take
        the place of what was known of the same photos. A folder left without photos keeps no file."""
        old = self._read(None)
        renewed = {stored_name(ref) for ref in new}
        kept = pa.array([name for ref in keep if (name := stored_name(ref)) not in renewed], pa.string())
        old = old.filter(pc.is_in(old["photo"], value_set=kept))
        table = concatenate([old, rows_to_table(new.values(), self.info)])
        if not len(table):
            self.path.unlink(missing_ok=True)
            return
        if not self.path.parent.exists():
            private_folder(self.path.parent)
        table = table.sort_by([("photo", "ascending"), ("face", "ascending")])
        write_atomically(self.path, lambda stream: pq.write_table(table, stream, compression="zstd"))

    def set_aside(self) -> Path:
        """Move an unusable file out of the way; gives its new place."""
        aside = self.path.with_name(self.path.name + ".set-aside")
        self.path.replace(aside)
        return aside

    def _read(self, columns: list[str] | None) -> pa.Table:
        schema = folder_schema(self.info)
        if not self.path.exists():
            return schema.empty_table() if columns is None else schema.empty_table().select(columns)
        try:
            file = pq.ParquetFile(self.path)
            found = read_info(file.schema_arrow)
            if found.fingerprint != self.info.fingerprint:
                raise ValueError(f"it was made with other models ({found.pack})")
            if file.schema_arrow.names != schema.names:
                raise ValueError("its columns are not the expected ones")
            wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
            # Parquet keeps some types a little differently, such as the names inside lists.
            return file.read(columns=columns).cast(wanted)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UnusableCacheError(f"{self.path}: {error}") from error
