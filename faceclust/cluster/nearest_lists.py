"""Each cluster's nearest others: short lists with a certificate of what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import Positions
from faceclust.types import Float32, Float64

LIST_LENGTH = 24  # neighbours a list holds; the answer is the same for any, the work is not
_CHUNK = 1 << 17  # rows sorted at a time


@dataclass
class NeighbourLists:
    """For each cluster up to LENGTH neighbours within the threshold.

    `ids` (n, LENGTH), −1 where empty; `distances` (n, LENGTH) float64; `sizes` (n, LENGTH): the
    neighbour's size when its distance was taken. Every allowed cluster within the threshold that
    a list leaves out is at `bound` (n,) or farther; inf: none is left out; −inf: nothing is known.
    """

    ids: NDArray[np.int32]
    distances: Float64
    sizes: NDArray[np.int32]
    bound: Float64

    @classmethod
    def unknown(cls, n: int) -> NeighbourLists:
        return cls(
            ids=np.full((n, LIST_LENGTH), -1, np.int32),
            distances=np.full((n, LIST_LENGTH), np.inf),
            sizes=np.zeros((n, LIST_LENGTH), np.int32),
            bound=np.full(n, -np.inf),
        )


class SmallestEntries:
    """The `length` smallest entries of each row of a matrix that comes in pieces.

    `columns` (rows, length), −1 where empty; `values` likewise, rising, inf where empty;
    `limits` (rows,): what a new entry must not exceed, falling as a row fills.
    """

    def __init__(self, rows: int, limit: float, length: int | None = None) -> None:
        length = LIST_LENGTH if length is None else length
        self.columns = np.full((rows, length), -1, np.int32)
        self.values = np.full((rows, length), np.inf, np.float32)
        self.limits = np.full(rows, limit, np.float32)
        self._pending: list[tuple[Positions, Positions, Float32]] = []
        self._pending_count = 0

    @property
    def full_rows(self) -> NDArray[np.bool_]:
        """Rows that may have left something out."""
        return self.columns[:, -1] >= 0

    def add(self, rows: Positions, columns: Positions, values: Float32) -> None:
        """Entries of the matrix; none may come twice."""
        good = values <= self.limits[rows]
        self._pending.append((rows[good], columns[good], values[good]))
        self._pending_count += int(np.count_nonzero(good))
        if self._pending_count > max(1 << 18, 8 * len(self.limits)):
            self.flush()

    def flush(self) -> None:
        """Take in what was offered."""
        if not self._pending_count:
            return
        rows, columns, values = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        self._pending, self._pending_count = [], 0
        good = values <= self.limits[rows]
        for start in range(0, len(self.limits), _CHUNK):  # bounds the memory of the sort
            some = np.flatnonzero(good & (rows >= start) & (rows < start + _CHUNK))
            if len(some):
                self._merge_pending(rows[some], columns[some], values[some])

    def _merge_pending(self, rows: Positions, columns: Positions, values: Float32) -> None:
        touched = np.flatnonzero(np.bincount(rows))
        length = self.columns.shape[1]
        rows = np.concatenate([rows, np.repeat(touched, length)])
        columns = np.concatenate([columns, self.columns[touched].ravel()])
        values = np.concatenate([values, self.values[touched].ravel()])
        # Row and value in one number: the bits of floats from 0 on are in the floats' order.
        key = (rows << np.int64(32)) | (np.maximum(values, 0) + np.float32(0)).view(np.int32)
        order = np.argsort(key)
        rows = rows[order]
        starts = np.searchsorted(rows, touched)
        rank = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
        kept = rank < length
        order, rows, rank = order[kept], rows[kept], rank[kept]
        self.columns[rows, rank], self.values[rows, rank] = columns[order], values[order]
        filled = touched[self.columns[touched, -1] >= 0]
        self.limits[filled] = self.values[filled, -1]
