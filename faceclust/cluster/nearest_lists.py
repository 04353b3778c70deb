"""Each cluster's nearest others: short lists with a certificate of what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import Places
from faceclust.cluster.distances import Float64
from faceclust.types import Float32

LENGTH = 24  # neighbours a list holds; the answer is the same for any, the work is not
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
            ids=np.full((n, LENGTH), -1, np.int32),
            distances=np.full((n, LENGTH), np.inf),
            sizes=np.zeros((n, LENGTH), np.int32),
            bound=np.full(n, -np.inf),
        )


class Nearest:
    """The `length` smallest entries of each row of a matrix that comes in pieces.

    `columns` (rows, length), −1 where empty; `values` likewise, rising, inf where empty;
    `limits` (rows,): what a new entry must not exceed, falling as a row fills.
    """

    def __init__(self, rows: int, limit: float, length: int | None = None) -> None:
        length = LENGTH if length is None else length
        self.columns = np.full((rows, length), -1, np.int32)
        self.values = np.full((rows, length), np.inf, np.float32)
        self.limits = np.full(rows, limit, np.float32)
        self._waiting: list[tuple[Places, Places, Float32]] = []
        self._count = 0

    @property
    def full(self) -> NDArray[np.bool_]:
        """Rows that may have left something out."""
        return self.columns[:, -1] >= 0

    def offer(self, rows: Places, columns: Places, values: Float32) -> None:
        """Entries of the matrix; none may come twice."""
        good = values <= self.limits[rows]
        self._waiting.append((rows[good], columns[good], values[good]))
        self._count += int(np.count_nonzero(good))
        if self._count > max(1 << 18, 8 * len(self.limits)):
            self.settle()

    def settle(self) -> None:
        """Take in what was offered."""
        if not self._count:
            return
        rows, columns, values = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._count = [], 0
        good = values <= self.limits[rows]
        for start in range(0, len(self.limits), _CHUNK):  # bounds the memory of the sort
            some = np.flatnonzero(good & (rows >= start) & (rows < start + _CHUNK))
            if len(some):
                self._take(rows[some], columns[some], values[some])

    def _take(self, rows: Places, columns: Places, values: Float32) -> None:
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
