"""Short lists of each cluster's nearest neighbours, with a lower bound for what they leave out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import Positions
from faceclust.types import Float32, Float64

#: Neighbours in a list. It affects the speed, not the result: a list never claims to hold all of several
#: clusters at one distance unless it does, and is rebuilt in float64 if these fill it. Longer lists are
#: rebuilt less often (30,000 synthetic faces: 24 compare 5.8 % of the pairs again, 32 4.3 %, 48 2.9 %), but
#: take memory: 20 bytes an entry.
LIST_LENGTH = 32
_CHUNK = 1 << 15  # rows whose pending entries are sorted at a time, which bounds the memory
_PENDING_PER_ROW = 8  # entries that wait until they are sorted


@dataclass
class NeighbourLists:
    """Up to LIST_LENGTH neighbours within the threshold for each cluster.

    `ids` (n, LIST_LENGTH) int32 are −1 in empty slots. `distances` (n, LIST_LENGTH) are float64.
    `sizes` (n, LIST_LENGTH) int32 are the neighbours' sizes at the time of the distance, if needed. `bound` (n,)
    is a lower bound for every allowed cluster within the threshold that is not listed: inf if all
    are listed, −inf if nothing is known.
    """

    ids: NDArray[np.int32]
    distances: Float64
    sizes: NDArray[np.int32] | None
    bound: Float64

    @classmethod
    def unknown(cls, n: int, *, with_sizes: bool) -> NeighbourLists:
        """Return n empty lists about which nothing is known."""
        return cls(
            ids=np.full((n, LIST_LENGTH), -1, np.int32),
            distances=np.empty((n, LIST_LENGTH)),
            sizes=np.zeros((n, LIST_LENGTH), np.int32) if with_sizes else None,
            bound=np.full(n, -np.inf),
        )


class SmallestEntries:
    """The `length` smallest entries of each row of a matrix that arrives in pieces.

    `columns` (rows, length) int32 are −1 in empty slots. `values` (rows, length) float32 are
    ascending, inf in empty slots. `limits` (rows,) float32 are upper limits for new entries, which
    fall as a row fills.
    """

    def __init__(self, rows: int, limit: float, length: int | None = None) -> None:
        length = LIST_LENGTH if length is None else length
        self.columns = np.full((rows, length), -1, np.int32)
        self.values = np.full((rows, length), np.inf, np.float32)
        self.limits = np.full(rows, limit, np.float32)
        #: Entries not yet in the lists, and their number, for each _CHUNK of rows.
        self._pending: dict[int, list[tuple[Positions, Positions, Float32]]] = {}
        self._pending_counts: Counter[int] = Counter()

    @property
    def full_rows(self) -> NDArray[np.bool_]:
        """Which rows (rows,) are full, so that they may have left entries out."""
        return self.columns[:, -1] >= 0

    def add(self, rows: Positions, columns: Positions, values: Float32) -> None:
        """Add entries of the matrix; none may be added twice."""
        good = values <= self.limits[rows]
        rows, columns, values = rows[good], columns[good], values[good]
        if not len(rows):
            return
        first, last = int(rows.min()) // _CHUNK, int(rows.max()) // _CHUNK
        for chunk in range(first, last + 1):
            some = slice(None) if first == last else rows // _CHUNK == chunk
            self._pending.setdefault(chunk, []).append((rows[some], columns[some], values[some]))
            self._pending_counts[chunk] += len(self._pending[chunk][-1][0])
            if self._pending_counts[chunk] > _PENDING_PER_ROW * _CHUNK:
                self._merge_pending(chunk)

    def flush(self) -> None:
        """Merge the pending entries into the lists."""
        for chunk in list(self._pending):
            self._merge_pending(chunk)

    def merge_lists(
        self, rows: slice, counts: NDArray[np.integer], columns: NDArray[np.integer], values: Float32
    ) -> None:
        """Add short lists of consecutive rows, at most `length` entries each; no entry may be added twice.

        `counts` are those of each row. `columns` and float32 `values` follow row by row, in ascending order of
        the values, which makes this much faster than `add`.
        """
        owner = np.repeat(np.arange(rows.start, rows.stop), counts)
        good = values <= self.limits[owner]
        owner, columns, values = owner[good], columns[good], values[good]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        if not len(starts):
            return
        touched, counts = owner[starts], np.diff(np.append(starts, len(owner)))
        length = self.columns.shape[1]
        keys = np.full((len(touched), 2 * length), np.iinfo(np.int64).max)
        keys[:, :length] = _sort_keys(self.columns[touched], self.values[touched])
        rank = np.arange(length, length + len(owner)) - np.repeat(starts, counts)
        keys[np.repeat(np.arange(len(touched)), counts), rank] = _sort_keys(columns, values)
        keys.sort(axis=1)
        kept = keys[:, :length]
        self.columns[touched] = kept.astype(np.int32)  # the lower half of the bits
        self.values[touched] = (kept >> 32).astype(np.int32).view(np.float32)
        filled = touched[self.columns[touched, -1] >= 0]
        self.limits[filled] = self.values[filled, -1]

    def _merge_pending(self, chunk: int) -> None:
        part = slice(chunk * _CHUNK, min((chunk + 1) * _CHUNK, len(self.limits)))
        del self._pending_counts[chunk]
        rows, columns, values = (np.concatenate(column) for column in zip(*self._pending.pop(chunk), strict=True))
        good = values <= self.limits[rows]
        rows, columns, values = rows[good], columns[good], values[good]
        order = np.argsort((rows << np.int64(32)) | _ordered_bits(values))  # by row and value, as one integer
        rows = rows[order]
        counts = np.bincount(rows - part.start, minlength=part.stop - part.start)
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        length = self.columns.shape[1]
        order = order[rank < length]
        self.merge_lists(part, np.minimum(counts, length), columns[order], values[order])


def _ordered_bits(values: Float32) -> NDArray[np.int32]:
    """Return integers that sort like the values, of which negative ones count as 0."""
    return (np.maximum(values, 0) + np.float32(0)).view(np.int32)


def _sort_keys(columns: NDArray[np.integer], values: Float32) -> NDArray[np.int64]:
    """Return integers that sort by value and then by column; empty slots come last."""
    return (_ordered_bits(values).astype(np.int64) << 32) | (columns.astype(np.int64) & 0xFFFFFFFF)
