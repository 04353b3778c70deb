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

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from faceclust.types import Float32

Positions = NDArray[np.int32]
NearPairs = tuple[Positions, Positions, Float32]

_TILE_ROWS, _TILE_COLUMNS = 512, 2048  # float32: 4 MB
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
    mask: Callable[[Float32, slice, slice], None] | None = None,
    on_rows: Callable[[int], None] | None = None,
    *,
    rectangle: bool = False,
    threads: int | None = None,
) -> Iterator[NearPairs]:
    """Yield row, column and product of the pairs whose product is at most the row's limit.

    `probes` returns rows of the left factor (m, k), where m is the number of row limits; `targets`
    (n, k) is the right factor, transposed. With `column_limits`, a pair counts if it is within the limit
    of either. Unless it is a `rectangle` of other rows than columns, m = n and the product is symmetric
    then: it yields only pairs row < column. The limits are read again for each
    tile, so the caller may lower them in between. `mask` receives a tile and its row and column
    ranges, and may set excluded pairs to nan. `on_rows` receives the number of rows just finished.
    `threads` is the number of cores by default; one is the caller's own thread.
    """
    symmetric = column_limits is not None and not rectangle
    threads = threads or os.cpu_count() or 1
    local = threading.local()

    def tile(left: Float32, r: int, c: int) -> NearPairs:
        if not hasattr(local, "product"):
            local.product = np.empty(_TILE_ROWS * _TILE_COLUMNS, np.float32)
            local.near, local.other = (
                np.empty(_TILE_ROWS * _TILE_COLUMNS, np.bool_),
                np.empty(_TILE_ROWS * _TILE_COLUMNS, np.bool_),
            )
        right = targets[c : c + _TILE_COLUMNS]
        shape, size = (len(left), len(right)), len(left) * len(right)
        product, near = local.product[:size].reshape(shape), local.near[:size].reshape(shape)
        np.matmul(left, right.T, out=product)
        if mask is not None:
            mask(product, slice(r, r + len(left)), slice(c, c + len(right)))
        np.less_equal(product, row_limits[r : r + len(left), None], out=near)
        if column_limits is not None:
            other = local.other[:size].reshape(shape)
            np.less_equal(product, column_limits[c : c + len(right)], out=other)
            np.logical_or(near, other, out=near)
        hits = np.flatnonzero(near)
        rows = (hits // len(right)).astype(np.int32)
        columns = (hits - rows.astype(np.int64) * len(right) + c).astype(np.int32)
        rows += np.int32(r)
        found = rows, columns, product.ravel()[hits]
        if symmetric and c < r + _TILE_ROWS:
            above = rows < columns
            found = found[0][above], found[1][above], found[2][above]
        return found

    with _blas_controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[NearPairs]] = deque()
        try:
            for r in range(0, len(row_limits), _TILE_ROWS):
                left = probes(slice(r, min(r + _TILE_ROWS, len(row_limits))))
                for c in range(r if symmetric else 0, len(targets), _TILE_COLUMNS):
                    if threads == 1:
                        yield tile(left, r, c)
                        continue
                    waiting.append(pool.submit(tile, left, r, c))
                    if len(waiting) > 2 * threads:
                        yield waiting.popleft().result()
                if on_rows is not None:
                    on_rows(len(left))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


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
