"""Compare all pairs of clusters on a Dask cluster, with the same result as on this machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from distributed import Future
from numpy.typing import NDArray

from faceclust.cluster.constraints import TileMask
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import LIST_LENGTH, SmallestEntries
from faceclust.cluster.pair_engine import Comparison, OnRows, PairEngine
from faceclust.engines.dask.answers import Cluster, collect_answers
from faceclust.engines.dask.blocks import Lists, Unreadable, compare_block, restrict_mask
from faceclust.engines.dask.tasks import task_failure
from faceclust.engines.dask.uploads import Embeddings, Uploads, mapped_file, scatter
from faceclust.engines.local_engine import choose_local_engine
from faceclust.types import Float32, Indices

_TASKS_EACH = 20  # for each worker, at least, so that the last ones do not keep the others waiting
_MIN_SIDE, _MAX_SIDE, _MAX_SIDE_OF_MANY = 2_000, 25_000, 50_000  # clusters on a side of a block
_MANY_WORKERS = 64  # from here on the scheduler is the limit, so tasks are larger
_MIN_PAIRS = 10**8  # fewer are compared sooner here


class _Block(NamedTuple):
    """Rows and columns of a block, as positions."""

    rows: slice
    columns: slice


class DaskPairEngine:
    """Compares pairs on the workers of a Dask cluster; small comparisons stay in this process.

    `path_on_workers` returns where workers find a file of the library, None if they cannot have it. Fewer than
    `min_clusters` are compared in threads. `min_pairs` and `side` are set by tests.
    """

    def __init__(
        self,
        cluster: Cluster,
        note: Callable[[str], None],
        path_on_workers: Callable[[Path], str | None],
        min_clusters: int,
        min_pairs: int = _MIN_PAIRS,
        side: int | None = None,
    ) -> None:
        self._cluster, self._note, self._path_on_workers = cluster, note, path_on_workers
        self._min_clusters, self._min_pairs, self._side = min_clusters, min_pairs, side
        self._threads: PairEngine | None = None
        self._points: NDArray[np.floating] | None = None  # of the last comparison in threads
        self._is_noted = False
        self._embeddings: Embeddings | None = None
        self._uploads: Uploads | None = None

    def compare_all(self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: OnRows) -> Comparison:
        """See `PairEngine`."""
        if len(clusters) < self._min_clusters:
            if not self._is_noted and self._embeddings is None:
                self._is_noted = True
                self._note(
                    f"comparing {len(clusters):,} faces on this machine alone, which is faster than the Dask cluster"
                )
            return self._threads_for(means).compare_all(means, clusters, limit, on_rows)
        best = SmallestEntries(len(clusters), limit + means.float32_error)
        uploads = self._upload(means, clusters)
        ranges = _split(len(clusters), self._choose_side(len(clusters)))
        # The diagonal comes first, because its blocks lower the limits of all rows. Then blocks of the same columns
        # follow one another: workers prepare columns for products of integers, and keep the last ones.
        blocks = [_Block(part, part) for part in ranges]
        blocks += [_Block(other, part) for k, part in enumerate(ranges) for other in ranges[:k]]

        def submit(block: _Block) -> Future:
            column_limits = None if block.rows == block.columns else best.limits[block.columns].copy()
            left = uploads.side(block.rows.start, block.rows.stop)
            right = left if column_limits is None else uploads.side(block.columns.start, block.columns.stop)
            return self._submit(left, right, best.limits[block.rows].copy(), column_limits, None)

        done = shown = 0
        for block, lists in self._answers(blocks, submit):
            _merge(best, block.rows, block.columns, lists[0])
            if len(lists) > 1:
                _merge(best, block.columns, block.rows, lists[1])
            done += _area(block)
            # `on_rows` expects the rows of a triangle: the first ones have the most pairs.
            rows = round(len(clusters) * (1 - np.sqrt(max(0.0, 1 - done / (len(clusters) * (len(clusters) + 1) / 2)))))
            on_rows(rows - shown)
            shown = rows
        return Comparison(best, means.float32_error)

    def compare_some(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        limit: float,
        mask: TileMask | None,
        on_rows: OnRows,
    ) -> Comparison:
        """See `PairEngine`."""
        is_known = self._uploads is not None and self._uploads.means is means
        if not is_known or len(rows) * len(columns) < self._min_pairs:
            return self._threads_for(means).compare_some(means, rows, columns, limit, mask, on_rows)
        best = SmallestEntries(len(rows), limit + means.float32_error)
        uploads = self._upload(means, columns)
        column_ranges = _split(len(columns), self._choose_side(len(columns)))
        row_ranges = _split(len(rows), self._choose_height(len(rows), len(column_ranges)))
        sent: dict[int, Future] = {}

        def submit(block: _Block) -> Future:
            start = block.rows.start
            if start not in sent or sent[start].status != "finished":
                sent[start] = scatter(self._cluster, means.targets(rows[block.rows]))
            right = uploads.side(block.columns.start, block.columns.stop)
            part = None if mask is None else restrict_mask(mask, block.rows, block.columns)
            return self._submit(sent[start], right, best.limits[block.rows].copy(), None, part)

        blocks = [_Block(some, part) for part in column_ranges for some in row_ranges]
        done = shown = 0
        for block, lists in self._answers(blocks, submit):
            _merge(best, block.rows, block.columns, lists[0])
            done += (block.rows.stop - block.rows.start) * (block.columns.stop - block.columns.start)
            on_rows(done // len(columns) - shown)
            shown = done // len(columns)
        return Comparison(best, means.float32_error)

    def _threads_for(self, means: ClusterMeans) -> PairEngine:
        if self._threads is None or self._points is not means.points:
            self._points = means.points
            self._threads = choose_local_engine(len(means.points), means.points.shape[1], "cpu")
        return self._threads

    def _upload(self, means: ClusterMeans, clusters: Indices) -> Uploads:
        """Send what the workers do not know yet of these clusters."""
        if self._embeddings is None or self._embeddings.points is not means.points:
            path = mapped_file(means.points)
            there = None if path is None else self._path_on_workers(path)
            self._embeddings = Embeddings(self._cluster, means.points, self._choose_side(len(means.points)), there)
            self._uploads = None
        if self._uploads is None or self._uploads.means is not means:
            self._uploads = Uploads(self._embeddings, means)
        self._uploads.update(clusters)
        return self._uploads

    def _submit(
        self, left: Any, right: Any, row_limits: Float32, column_limits: Float32 | None, mask: TileMask | None
    ) -> Future:
        return self._cluster.submit(compare_block, left, right, row_limits, column_limits, mask, LIST_LENGTH)

    def _answers(
        self, blocks: list[_Block], submit: Callable[[_Block], Future]
    ) -> Iterator[tuple[_Block, tuple[Lists, ...]]]:
        """Yield the lists of each block. If a worker cannot read the file of embeddings, all receive them instead."""
        left = blocks
        while left:
            unread: list[_Block] = []
            were_sent = self._embeddings is None or self._embeddings.are_sent
            for block, answer in collect_answers(self._cluster, left, submit):
                if not isinstance(answer, Unreadable):
                    yield block, answer
                    continue
                if were_sent:
                    raise task_failure(answer.reason)
                if self._embeddings is not None and not self._embeddings.are_sent:
                    self._note(
                        f"sending the embeddings to the Dask workers, since one cannot read them ({answer.reason})"
                    )
                    self._embeddings.send_instead()
                unread.append(block)
            left = unread

    def _choose_side(self, count: int) -> int:
        """Return the clusters on a side of a block, of `count` clusters."""
        if self._side is not None:
            return self._side
        workers = max(1, len(self._cluster.workers()))
        sides = math.ceil(math.sqrt(2 * _TASKS_EACH * workers))
        largest = _MAX_SIDE_OF_MANY if workers > _MANY_WORKERS else _MAX_SIDE
        return min(max(-(-count // sides), _MIN_SIDE), largest)

    def _choose_height(self, rows: int, column_ranges: int) -> int:
        """Return the rows of a block of a comparison of `rows` with so many ranges of columns."""
        if self._side is not None:
            return self._side
        workers = max(1, len(self._cluster.workers()))
        pieces = -(-4 * workers // column_ranges)
        return min(max(-(-rows // pieces), _MIN_SIDE), _MAX_SIDE)


def _split(count: int, size: int) -> list[slice]:
    """Split `count` positions into ranges of about equal length, at most `size`."""
    pieces = -(-count // size)
    cuts = [count * piece // pieces for piece in range(pieces + 1)]
    return [slice(first, last) for first, last in pairwise(cuts)]


def _area(block: _Block) -> int:
    height, width = block.rows.stop - block.rows.start, block.columns.stop - block.columns.start
    return int(height * (height + 1) // 2 if block.rows == block.columns else height * width)


def _merge(best: SmallestEntries, rows: slice, columns: slice, lists: Lists) -> None:
    """Merge the lists of some rows among some columns."""
    best.merge_lists(rows, lists.counts, lists.columns.astype(np.int32) + np.int32(columns.start), lists.values)
