"""Keep the embeddings of a large library in files of its home instead of memory.

They are written while the caches are read, then mapped into memory: the system drops pages that it can
read again. The files are removed at the end. Those of a killed run are removed by the next one, and like
all unfinished files by `faceclust forget` and `faceclust cache prune`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
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
from faceclust.store.precision import encode_embeddings, precision_of, scale_to_radius
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
        self._stored: dict[str, _Matrix] = {}  # by precision

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
        for matrix in self._stored.values():
            matrix.remove()
        self._stored.clear()

    def take_from(self, folders: Iterable[tuple[str, pa.Table]]) -> Iterator[tuple[str, pa.Table]]:
        """Yield each folder with its rows, with the numbers of embeddings instead of the embeddings."""
        for folder, rows in folders:
            place = rows.schema.get_field_index("embedding")
            yield folder, rows.set_column(place, "embedding", self._take(rows["embedding"])).replace_schema_metadata()

    def _take(self, column: pa.ChunkedArray) -> pa.Array:
        """Keep the embeddings of a column; return their numbers, int64, null for missing ones.

        A number is the row among those of the same precision times the number of precisions, plus the place of
        the precision in PRECISIONS.
        """
        precision = precision_of(column.type)
        stored = self._stored.setdefault(precision, self._create())
        valid = pc.is_valid(column).to_numpy()
        rows = stored.row_count + np.cumsum(valid) - 1
        values = column.drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
        stored.append(values.reshape(-1, self._info.dimension))
        return pa.array(rows * len(PRECISIONS) + PRECISIONS.index(precision), pa.int64(), mask=~valid)

    def read(self, numbers: Indices) -> Float32:
        """Return the embeddings of these numbers as float32 (n, d), scaled to the radius.

        Those of other precisions are first converted to the highest one, as in a table in memory.
        """
        stored = {precision: matrix.rows(self._info.dimension) for precision, matrix in self._stored.items()}
        return self._collect(self._decode(stored, some) for some in _chunks_of(numbers))

    def _decode(self, stored: Mapping[str, NDArray[Any]], numbers: Indices) -> Float32:
        highest = max(stored, key=PRECISIONS.index)
        out = np.empty((len(numbers), self._info.dimension), np.float32)
        rows, precisions = np.divmod(numbers, len(PRECISIONS))
        for precision, matrix in stored.items():
            chosen = np.flatnonzero(precisions == PRECISIONS.index(precision))
            values = matrix[rows[chosen]]
            if precision != highest:
                values = encode_embeddings(scale_to_radius(values, self._info.radius), highest)
            out[chosen] = scale_to_radius(values, self._info.radius)
        return out

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
        """Remove the file if it exists. Matrices that were returned are invalid from then on."""
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
