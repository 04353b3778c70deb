"""An engine that compares pairs as inexactly, and in as odd an order, as other machines and devices may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from faceclust.cluster.constraints import TileMask
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.cluster.pair_engine import Comparison
from faceclust.types import Float32, Float64, Indices


@dataclass
class NoisyEngine:
    """Blocks of `block` rows in random order, some with rows and columns swapped, each with its own short lists.

    Each product is off by up to `noise` times the error bound. A block gets limits from an earlier
    moment. `stated` is the error bound that the engine states, in units of `float32_error`. The other
    fields break the contract: `strikes_out_late` cuts a list before striking out the point itself,
    `repeats` gives each block twice, and `lowered` is subtracted from the limits of a block.
    """

    seed: int = 0
    block: int = 97
    noise: float = 0.95
    stated: float = 1.0
    strikes_out_late: bool = False
    repeats: bool = False
    lowered: float = 0.0
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def compare_all(
        self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: Callable[[int], None]
    ) -> Comparison:
        """See `PairEngine`."""
        self.calls.append("all")
        return self._compare(means, clusters, clusters, limit, None, True)

    def compare_some(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        limit: float,
        mask: TileMask | None,
        on_rows: Callable[[int], None],
    ) -> Comparison:
        """See `PairEngine`."""
        self.calls.append("some")
        return self._compare(means, rows, columns, limit, mask, False)

    def _compare(
        self, means: ClusterMeans, rows: Indices, columns: Indices, limit: float, mask: TileMask | None, halves: bool
    ) -> Comparison:
        error = self.stated * means.float32_error
        best = SmallestEntries(len(rows), limit + error)
        limits = [best.limits.copy()]
        blocks = [
            (r, c)
            for r, c in product(range(0, len(rows), self.block), range(0, len(columns), self.block))
            if r <= c or not halves
        ]
        for place in self.rng.permutation(len(blocks)).tolist():
            r, c = blocks[place]
            sent = limits[self.rng.integers(len(limits))] - np.float32(self.lowered)
            tile = self._multiply(means, rows[r : r + self.block], columns[c : c + self.block], error)
            if mask is not None:
                mask(tile, slice(r, r + len(tile)), slice(c, c + tile.shape[1]))
            itself = rows[r : r + len(tile), None] == columns[c : c + tile.shape[1]]
            for _ in range(2 if self.repeats else 1):
                self._add_nearest(best, tile, itself, r, c, sent)
                if halves and r != c:
                    self._add_nearest(best, tile.T, itself.T, c, r, sent)
            best.flush()
            limits = [*limits[-3:], best.limits.copy()]
        return Comparison(best, error)

    def _multiply(self, means: ClusterMeans, rows: Indices, columns: Indices, error: float) -> Float32:
        if self.rng.integers(2):
            tile = means.probes(rows) @ means.targets(columns).T
        else:
            tile = (means.probes(columns) @ means.targets(rows).T).T
        noise: Float64 = (
            self.noise / self.stated * error * self.rng.choice([-1, 1, self.rng.uniform(-1, 1)], tile.shape)
        )
        return np.asarray(tile + noise, np.float32)

    def _add_nearest(
        self, best: SmallestEntries, tile: Float32, itself: np.ndarray, first: int, left: int, limits: Float32
    ) -> None:
        """Cut the lists of a block as another machine would, and add what is left to those of all blocks."""
        lists = SmallestEntries(len(tile), np.inf)
        lists.limits[:] = limits[first : first + len(tile)]
        hidden = np.zeros_like(itself) if self.strikes_out_late else itself
        row, column = np.nonzero((tile <= lists.limits[:, None]) & ~hidden)
        lists.add(row.astype(np.int32), column.astype(np.int32), tile[row, column])
        lists.flush()
        row, slot = np.nonzero(lists.columns >= 0)
        column = lists.columns[row, slot]
        kept = ~itself[row, column]
        row, column, slot = row[kept], column[kept], slot[kept]
        best.add((row + first).astype(np.int32), (column + left).astype(np.int32), lists.values[row, slot])


def count_broken_rows(found: Comparison, means: ClusterMeans, rows: Indices, columns: Indices, limit: float) -> int:
    """Count the rows of a comparison that leave out a pair nearer than its contract allows.

    A full row promises its final limit minus the error, any other row that nothing within the limit is missing.
    """
    best = found.nearest
    pairs = np.stack(np.meshgrid(rows, columns, indexing="ij")).reshape(2, -1)
    distances = means.pair_distances(*pairs).reshape(len(rows), len(columns))
    missing = rows[:, None] != columns
    row, slot = np.nonzero(best.columns >= 0)
    missing[row, best.columns[row, slot]] = False
    nearest = np.where(missing, distances, np.inf).min(axis=1, initial=np.inf)
    promised = np.where(best.full_rows, best.limits.astype(np.float64) - found.error, np.nextafter(limit, np.inf))
    return int(np.count_nonzero(nearest < promised - means.distance_step))
