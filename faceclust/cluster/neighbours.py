"""Each cluster's nearest others: short lists with a certificate of what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import ExclusionIndex
from faceclust.cluster.distances import ClusterMeans, Float64, Indices
from faceclust.types import Float32

LENGTH = 24  # neighbours a list holds; the answer is the same for any, the work is not


@dataclass
class NeighbourLists:
    """For each cluster up to LENGTH allowed neighbours within the threshold.

    `ids` (n, LENGTH), −1 where empty; `distances` (n, LENGTH) float64, inf where empty. Every
    allowed cluster within the threshold that a list leaves out is at `bound` (n,) or farther;
    inf: none is left out.
    """

    ids: NDArray[np.int32]
    distances: Float64
    bound: Float64

    @classmethod
    def empty(cls, n: int) -> NeighbourLists:
        return cls(
            ids=np.full((n, LENGTH), -1, np.int32),
            distances=np.full((n, LENGTH), np.inf),
            bound=np.full(n, np.inf),
        )


def refresh(
    lists: NeighbourLists,
    rows: Indices,
    live: Indices,
    means: ClusterMeans,
    exclusions: ExclusionIndex,
    threshold: float,
) -> None:
    """Make the lists of the clusters `rows` anew from all `live` clusters (both sorted)."""
    slack = means.rounding
    best = _Best(len(rows), threshold + slack)
    rival_rows, rivals = exclusions.rival_pairs(rows)
    rival_columns = np.searchsorted(live, rivals)
    listed = rival_columns < len(live)
    listed[listed] = live[rival_columns[listed]] == rivals[listed]
    rival_rows, rival_columns = rival_rows[listed], rival_columns[listed]
    own_columns = np.searchsorted(live, rows)
    for row_slice, column_slice, tile in means.tiles(rows, live):
        _hide(tile, row_slice, column_slice, rival_rows, rival_columns)
        _hide(tile, row_slice, column_slice, np.arange(len(rows)), own_columns)
        best.offer(tile, row_slice, column_slice)
    ids = np.where(best.columns >= 0, live[best.columns], -1)
    filled = np.nonzero(ids >= 0)
    distances = np.full(ids.shape, np.inf)
    distances[filled] = means.distance(rows[filled[0]], ids[filled])
    # What was left out is no nearer than the worst kept one, up to rounding.
    lists.bound[rows] = np.where(best.full, best.worst.astype(np.float64) - 2 * slack, np.inf)
    ids[distances > threshold] = -1
    distances[distances > threshold] = np.inf
    lists.ids[rows], lists.distances[rows] = ids, distances


def refresh_exactly(
    lists: NeighbourLists,
    row: int,
    live: Indices,
    means: ClusterMeans,
    exclusions: ExclusionIndex,
    threshold: float,
) -> None:
    """One cluster's list in float64 alone, ties by id: for the rare one whose neighbours are
    too alike for float32 to tell apart. Its nearest neighbour is then certain."""
    others = np.setdiff1d(live, np.append(exclusions.rivals(row), row), assume_unique=True)
    distances = means.distance(np.full(len(others), row), others)
    order = np.lexsort((others, distances))
    order = order[: np.searchsorted(distances[order], threshold, side="right")]
    kept = order[:LENGTH]
    lists.ids[row], lists.distances[row] = -1, np.inf
    lists.ids[row, : len(kept)], lists.distances[row, : len(kept)] = others[kept], distances[kept]
    lists.bound[row] = np.nextafter(distances[order[LENGTH]], np.inf) if len(order) > LENGTH else np.inf


class _Best:
    """The LENGTH smallest entries of each row of a matrix that comes in tiles."""

    def __init__(self, rows: int, limit: float) -> None:
        self.columns = np.full((rows, LENGTH), -1, np.int64)
        self.values = np.full((rows, LENGTH), np.inf, np.float32)
        self.worst = np.full(rows, limit, np.float32)  # what a new entry has to beat
        self.full = np.zeros(rows, np.bool_)

    def offer(self, tile: Float32, rows: slice, columns: slice) -> None:
        limit = self.worst[rows]
        hits = np.flatnonzero((tile <= limit[:, None]).ravel())
        if not len(hits):
            return
        row, column = np.divmod(hits, tile.shape[1])
        value = tile.ravel()[hits]
        touched = np.unique(row)
        position = rows.start + touched
        row = np.concatenate([row, np.repeat(touched, LENGTH)])
        column = np.concatenate([column + columns.start, self.columns[position].ravel()])
        value = np.concatenate([value, self.values[position].ravel()])
        order = np.lexsort((column, value, row))
        row, column, value = row[order], column[order], value[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        kept = rank < LENGTH
        row, column, value, rank = rows.start + row[kept], column[kept], value[kept], rank[kept]
        self.columns[row, rank], self.values[row, rank] = column, value
        # A list is full once a slot it has is taken; a dropped entry may equal the worst one.
        self.full[position] = self.columns[position, -1] >= 0
        filled = position[self.full[position]]
        self.worst[filled] = self.values[filled, -1]


def _hide(tile: Float32, rows: slice, columns: slice, hidden_rows: Indices, hidden_columns: Indices) -> None:
    """Put nan, which is below no limit, where a pair is not to be found."""
    first, last = np.searchsorted(hidden_rows, (rows.start, rows.stop))
    r, c = hidden_rows[first:last] - rows.start, hidden_columns[first:last]
    inside = (c >= columns.start) & (c < columns.stop)
    tile[r[inside], c[inside] - columns.start] = np.nan
