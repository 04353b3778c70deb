"""Keep the embeddings of a large library in files of its home instead of memory.

They are written while the caches are read, then mapped into memory: the system drops pages that it can
read again. The files are removed at the end. Those of a killed run are removed by the next one, and like
all unfinished files by `faceclust forget` and `faceclust cache prune`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceclust.errors import CacheError
from faceclust.files.atomic import TEMPORARY_SUFFIX, remove_file, temporary_beside
from faceclust.files.names import PRECISIONS
from faceclust.files.own_files import list_own, open_own, translate_os_errors
from faceclust.store.precision import convert_precision, encode_embeddings, precision_of, scale_to_radius
from faceclust.store.schema import CacheInfo
from faceclust.types import Float32, Indices

SPILL_NAME = "embeddings"
_MAX_BYTES_IN_MEMORY = 1 << 27  # of one matrix: 175,000 faces of 192 dimensions
_CHUNK = 1 << 14  # rows at a time


class SpilledEmbeddings:
    """The embeddings of a library, in files of the folder `home` if they are many.

    Used as a context manager by a process that holds the library's lock. At the end, all matrices that
    it returned are invalid. Raises CacheError if a file cannot be written.
    """

    def __init__(self, home: Path, info: CacheInfo) -> None:
        self._file, self._info = home / SPILL_NAME, info
        self._matrices: list[_Matrix] = []
        self._stored: _Matrix | None = None
        self._precision = ""

    def __enter__(self) -> SpilledEmbeddings:
        """Remove the files of killed runs."""
        with translate_os_errors():
            names = list_own(self._file.parent)
        for name in names:
            if name.startswith(f"{SPILL_NAME}.") and name.endswith(TEMPORARY_SUFFIX):
                remove_file(self._file.with_name(name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard_stored()
        for matrix in self._matrices:
            matrix.remove()

    def discard_stored(self) -> None:
        """Forget the embeddings that were taken from tables; matrices that were returned stay."""
        if self._stored is not None:
            self._stored.remove()
        self._stored = None

    def take_from(self, folders: Iterable[tuple[str, pa.Table]]) -> Iterator[tuple[str, pa.Table]]:
        """Yield each folder with its rows, with the numbers of embeddings instead of the embeddings."""
        for folder, rows in folders:
            place = rows.schema.get_field_index("embedding")
            yield folder, rows.set_column(place, "embedding", self._take(rows["embedding"])).replace_schema_metadata()

    def _take(self, column: pa.ChunkedArray) -> pa.Array:
        """Keep the embeddings of a column; return their numbers, int64, null for missing ones."""
        dimension, radius, precision = self._info.dimension, self._info.radius, precision_of(column.type)
        if self._stored is None:
            self._stored, self._precision = self._create(), precision
        if PRECISIONS.index(precision) > PRECISIONS.index(self._precision):
            self._raise_precision(self._stored, precision)
        elif precision != self._precision:
            column = convert_precision(column, self._precision, dimension, radius)
        valid = pc.is_valid(column).to_numpy()
        numbers = pa.array(self._stored.row_count + np.cumsum(valid) - 1, pa.int64(), mask=~valid)
        values = column.drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
        self._stored.append(values.reshape(-1, dimension))
        return numbers

    def _raise_precision(self, stored: _Matrix, precision: str) -> None:
        """Convert the embeddings so far to a higher precision: that of the most precise cache counts."""
        self._stored, self._precision = self._create(), precision
        for chunk in _chunks_of(stored.rows(self._info.dimension)):
            self._stored.append(encode_embeddings(scale_to_radius(chunk, self._info.radius), precision))
        stored.remove()

    def read(self, numbers: Indices) -> Float32:
        """Return the embeddings of these numbers as float32 (n, d), scaled to the radius."""
        stored = (self._stored or self._create()).rows(self._info.dimension)
        return self._collect(scale_to_radius(stored[some], self._info.radius) for some in _chunks_of(numbers))

    def gather(self, matrix: Float32, rows: Indices) -> Float32:
        """Return a copy of some rows of a matrix. Read-only if they are many."""
        return self._collect(matrix[some] for some in _chunks_of(rows))

    def _collect(self, parts: Iterable[Float32]) -> Float32:
        matrix = self._create()
        self._matrices.append(matrix)
        for part in parts:
            matrix.append(part)
        return matrix.rows(self._info.dimension)

    def _create(self) -> _Matrix:
        return _Matrix(temporary_beside(self._file))


def _chunks_of(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


class _Matrix:
    """A matrix that grows by rows, in memory up to _MAX_BYTES_IN_MEMORY and then in a file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path, self.row_count = path, 0
        self._parts: list[NDArray[Any]] = []
        self._dtype: Any = np.float32
        self._stream: BinaryIO | None = None
        self._size = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows (k, d)."""
        self._dtype = rows.dtype
        self.row_count += len(rows)
        self._size += rows.nbytes
        self._parts.append(rows)
        if self._size > _MAX_BYTES_IN_MEMORY:
            with self._explain_errors():
                if self._stream is None:
                    descriptor = open_own(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                    self._stream = os.fdopen(descriptor, "wb", buffering=0)
                for part in self._parts:
                    self._write(part)
            self._parts.clear()

    def _write(self, part: NDArray[Any]) -> None:
        left = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
        while left and self._stream is not None:  # a write that fills the disk succeeds in part
            left = left[self._stream.write(left) :]

    def rows(self, dimension: int) -> NDArray[Any]:
        """Return the matrix (n, `dimension`)."""
        if self._stream is not None:
            return np.memmap(self.path, self._dtype, "r", shape=(self.row_count, dimension))
        self._parts = [np.concatenate([np.empty((0, dimension), self._dtype), *self._parts])]
        return self._parts[0]

    def remove(self) -> None:
        """Remove the file, if there is one. Matrices that were returned are invalid from then on."""
        self._parts.clear()
        if self._stream is not None:
            self._stream.close()
            with contextlib.suppress(CacheError):  # Windows cannot remove a mapped file; the next run does
                remove_file(self.path)

    @contextlib.contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"{self.path} cannot be written: {error.strerror or error}",
                hint=f"the embeddings take at least {self._size / 1e9:.1f} GB there while faces are grouped",
            ) from error
