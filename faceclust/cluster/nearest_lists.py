"""Short lists of each cluster's nearest neighbours, with a lower bound for what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import Positions
from faceclust.types import Float32, Float64

LIST_LENGTH = 24  # neighbours in a list; it affects the speed, not the result
_CHUNK = 1 << 17  # rows sorted at a time, which bounds the memory


@dataclass
class NeighbourLists:
    """Up to LIST_LENGTH neighbours within the threshold for each cluster.

    `ids` (n, LIST_LENGTH) int32 are −1 in empty slots. `distances` (n, LIST_LENGTH) are float64.
    `sizes` (n, LIST_LENGTH) int32 are the neighbours' sizes at the time of the distance. `bound` (n,)
    is a lower bound for every allowed cluster within the threshold that is not listed: inf if all
    are listed, −inf if nothing is known.
    """

    ids: NDArray[np.int32]
    distances: Float64
    sizes: NDArray[np.int32]
    bound: Float64

    @classmethod
    def unknown(cls, n: int) -> NeighbourLists:
        """Return n empty lists about which nothing is known."""
        return cls(
            ids=np.full((n, LIST_LENGTH), -1, np.int32),
            distances=np.full((n, LIST_LENGTH), np.inf),
            sizes=np.zeros((n, LIST_LENGTH), np.int32),
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
        self._pending: list[tuple[Positions, Positions, Float32]] = []
        self._pending_count = 0

    @property
    def full_rows(self) -> NDArray[np.bool_]:
        """Which rows (rows,) are full, so that they may have left entries out."""
        return self.columns[:, -1] >= 0

    def add(self, rows: Positions, columns: Positions, values: Float32) -> None:
        """Add entries of the matrix; none may be added twice."""
        good = values <= self.limits[rows]
        self._pending.append((rows[good], columns[good], values[good]))
        self._pending_count += int(np.count_nonzero(good))
        if self._pending_count > max(1 << 18, 8 * len(self.limits)):
            self.flush()

    def flush(self) -> None:
        """Merge the pending entries into the lists."""
        if not self._pending_count:
            return
        rows, columns, values = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        self._pending, self._pending_count = [], 0
        good = values <= self.limits[rows]
        for start in range(0, len(self.limits), _CHUNK):
            some = np.flatnonzero(good & (rows >= start) & (rows < start + _CHUNK))
            if len(some):
                self._merge_pending(rows[some], columns[some], values[some])

    def _merge_pending(self, rows: Positions, columns: Positions, values: Float32) -> None:
        touched = np.flatnonzero(np.bincount(rows))
        length = self.columns.shape[1]
        rows = np.concatenate([rows, np.repeat(touched, length)])
        columns = np.concatenate([columns, self.columns[touched].ravel()])
        values = np.concatenate([values, self.values[touched].ravel()])
        # Sort by row and value as one integer: the bits of non-negative floats sort like the floats.
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
