"""Find near pairs of rows by one blocked matrix product over all pairs.

A tile is small enough to be compared while it is still in the processor's cache. Threads work on
tiles in parallel, because NumPy releases the GIL in a product and in a comparison.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from faceclust.cluster.integer_filter import IntegerFilter
from faceclust.types import Float32, Indices, UInt8

Positions = NDArray[np.int32]
NearPairs = tuple[Positions, Positions, Float32]
#: Excludes pairs of a tile with these rows and columns.
Mask = Callable[[NDArray[Any], slice, slice], None]

_TILE_ROWS, _TILE_COLUMNS = 512, 2048  # float32: 4 MB
_UFUNC_BUFFER = (
    2048  # entries; NumPy compares a tile with limits of its rows twice as fast if this is no more than a row
)
_WAITING_TILES = 32  # for each thread, so that it has work while the caller sorts what was found
_MIN_PAIRS_PER_CANDIDATE = 64  # with more candidates the float32 product of the tile is as fast
_MIN_TRIALS = 16  # tiles before the filter is given up
_BLOCK_ROWS = 128  # of a few thousand columns: some MB for each thread


@cache
def _blas_controller() -> ThreadpoolController:
    """Return the controller of the BLAS threads; creating it takes longer than clustering a few faces."""
    return ThreadpoolController()


def find_near_pairs(
    probes: Callable[[slice], Float32],
    targets: Float32,
    row_limits: Float32,
    column_limits: Float32 | None = None,
    mask: Mask | None = None,
    on_rows: Callable[[int], None] | None = None,
    *,
    rectangle: bool = False,
    threads: int | None = None,
    integer_filter: IntegerFilter | None = None,
) -> Iterator[NearPairs]:
    """Yield row, column and product of the pairs whose product is at most the row's limit.

    `probes` returns rows of the left factor (m, k), where m is the number of row limits; `targets`
    (n, k) is the right factor, transposed. With `column_limits`, a pair counts if it is within the limit
    of either. Unless it is a `rectangle` of other rows than columns, m = n and the product is symmetric
    then: it yields only pairs row < column. The limits are read again for each tile, so the caller may
    lower them in between. `mask` receives a tile and its row and column ranges, and may set excluded
    pairs to nan, or to the lowest integer. `on_rows` receives the number of rows just finished. `threads`
    is the number of cores by default; one is the caller's own thread. `integer_filter` is one for
    `targets`; it affects the speed and the rounding.
    """
    is_symmetric = column_limits is not None and not rectangle
    search = _TileSearch(targets, row_limits, column_limits, mask, integer_filter, is_symmetric)
    threads = threads or os.cpu_count() or 1
    with _blas_controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[NearPairs]] = deque()
        try:
            for r in range(0, len(row_limits), _TILE_ROWS):
                left = probes(slice(r, min(r + _TILE_ROWS, len(row_limits))))
                encoded = integer_filter.encode(left) if integer_filter else None
                for c in range(r if is_symmetric else 0, len(targets), _TILE_COLUMNS):
                    if threads == 1:
                        yield search.find(left, encoded, r, c)
                        continue
                    waiting.append(pool.submit(search.find, left, encoded, r, c))
                    if len(waiting) > _WAITING_TILES * threads:
                        yield waiting.popleft().result()
                if on_rows is not None:
                    on_rows(len(left))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _TileSearch:
    """Finds the near pairs of a tile. Threads share it, and each has its own buffers."""

    def __init__(
        self,
        targets: Float32,
        row_limits: Float32,
        column_limits: Float32 | None,
        mask: Mask | None,
        integer_filter: IntegerFilter | None,
        is_symmetric: bool,
    ) -> None:
        self._targets, self._row_limits, self._column_limits = targets, row_limits, column_limits
        self._mask, self._filter = mask, integer_filter
        self._is_symmetric = is_symmetric
        self._buffers = _Buffers()
        self._tried = self._dense = 0  # tiles with a filter, and those of them with many candidates

    def find(self, left: Float32, encoded: UInt8 | None, r: int, c: int) -> NearPairs:
        """Return the near pairs of the probes `left` from row r on and the targets of a tile from column c on."""
        right = self._targets[c : c + _TILE_COLUMNS]
        rows, columns = slice(r, r + len(left)), slice(c, c + len(right))
        candidates = None
        if encoded is not None and 2 * self._dense <= self._tried + _MIN_TRIALS:
            candidates = self._find_candidates(encoded, rows, columns)
        if candidates is not None:
            row, column = self._drop_lower_half(*candidates, r, c)
            values = np.einsum("ij,ij->i", left[row], right[column])
            near = values <= self._row_limits[rows][row]
            if self._column_limits is not None:
                near |= values <= self._column_limits[columns][column]
            row, column, values = row[near], column[near], values[near]
        else:
            product = self._buffer(np.float32, (len(left), len(right)))
            np.matmul(left, right.T, out=product)
            if self._mask is not None:
                self._mask(product, rows, columns)
            limits = self._row_limits[rows], None if self._column_limits is None else self._column_limits[columns]
            row, column = self._drop_lower_half(*self._compare(np.less_equal, product, *limits), r, c)
            values = product[row, column]
        return (row + r).astype(np.int32), (column + c).astype(np.int32), values

    def _find_candidates(self, encoded: UInt8, rows: slice, columns: slice) -> tuple[Indices, Indices] | None:
        """Return the pairs of a tile that the filter does not rule out; None if they are many."""
        assert self._filter is not None
        product = self._buffer(np.int32, (len(encoded), columns.stop - columns.start))
        self._filter.multiply(encoded, columns, product)
        if self._mask is not None:
            self._mask(product, rows, columns)
        convert = self._filter.convert_limits
        column_limits = None if self._column_limits is None else convert(self._column_limits[columns])
        row, column = self._compare(np.greater_equal, product, convert(self._row_limits[rows]), column_limits)
        self._tried += 1
        if len(row) * _MIN_PAIRS_PER_CANDIDATE > product.size:
            self._dense += 1
            return None
        return row, column

    def _compare(
        self, compare: np.ufunc, product: NDArray[Any], row_limits: NDArray[Any], column_limits: NDArray[Any] | None
    ) -> tuple[Indices, Indices]:
        """Return row and column of the entries of a tile that are within a limit."""
        near = self._buffer(np.bool_, product.shape)
        with np.errstate():  # which also restores the size of the buffer
            np.setbufsize(_UFUNC_BUFFER)
            compare(product, row_limits[:, None], out=near)
            if column_limits is not None:
                other = self._buffer(np.uint8, product.shape).view(np.bool_)
                compare(product, column_limits, out=other)
                np.logical_or(near, other, out=near)
        hits = np.flatnonzero(near)
        row = hits // product.shape[1]
        return row, hits - row * product.shape[1]

    def _drop_lower_half(self, row: Indices, column: Indices, r: int, c: int) -> tuple[Indices, Indices]:
        if not self._is_symmetric or c >= r + _TILE_ROWS:
            return row, column
        above = row + r < column + c
        return row[above], column[above]

    def _buffer(self, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of this thread, which is used again for the next tile."""
        arrays = self._buffers.arrays
        if dtype not in arrays:
            arrays[dtype] = np.empty(_TILE_ROWS * _TILE_COLUMNS, dtype)
        return arrays[dtype][: shape[0] * shape[1]].reshape(shape)


class _Buffers(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[type[np.generic], NDArray[Any]] = {}


def map_row_blocks(function: Callable[[slice], Float32], n: int) -> Iterator[Float32]:
    """Yield `function` of consecutive ranges of n rows, in order. Threads work on the ranges in parallel."""
    ranges = [slice(start, min(start + _BLOCK_ROWS, n)) for start in range(0, n, _BLOCK_ROWS)]
    threads = os.cpu_count() or 1
    with _blas_controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, ranges)


def triangle_progress(advance: Callable[[int], None], n: int) -> Callable[[int], None]:
    """Return an `on_rows` for a symmetric product of n rows, which reports even progress.

    The first rows have the most pairs. So it advances by the share of all pairs, scaled to n.
    """
    done = reported = 0

    def on_rows(rows: int) -> None:
        nonlocal done, reported
        done += rows
        share = round(n * (1 - (1 - done / n) ** 2))
        advance(share - reported)
        reported = share

    return on_rows
