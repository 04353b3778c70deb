"""Compare all pairs of clusters in float32: the part of clustering that other machines and devices can do.

The result of clustering does not depend on the engine. A `Comparison` promises for each row: every
allowed pair that it leaves out has a true distance of at least the row's final limit minus its
`error`. The candidates themselves are evaluated again in float64 by the caller. So the order of tiles,
their size and the rounding of a processor affect the speed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.constraints import TileMask
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.types import Indices

OnRows = Callable[[int], None]


@dataclass(frozen=True)
class Comparison:
    """The nearest columns of each row by inexact distances, and an upper bound of their `error`.

    A row that is full may have left out pairs; any other row has left out none within the limit.
    """

    nearest: SmallestEntries
    error: float


class PairEngine(Protocol):
    """Compares clusters, which are named by position in `means`. Distances are squared L2 as `means` computes them."""

    def compare_all(self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: OnRows) -> Comparison:
        """Find the nearest of `clusters` (m,) for each of them, up to the limit.

        Columns are positions in `clusters`. Each pair is compared once. `on_rows` receives the number of
        rows of the triangle just finished.
        """

    def compare_some(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        limit: float,
        mask: TileMask | None,
        on_rows: OnRows,
    ) -> Comparison:
        """Find the nearest of the clusters `columns` (n,) for each of `rows` (m,), up to the limit.

        Columns of the result are positions in `columns`. `mask` excludes pairs of row and column. A
        cluster in both lists may list itself, in addition to the places of the others.
        """


class ThreadEngine:
    """Compares pairs in threads of this process, by NumPy's matrix product."""

    def compare_all(self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: OnRows) -> Comparison:
        """See `PairEngine`."""
        best = SmallestEntries(len(clusters), limit + means.float32_error)
        pairs = find_near_pairs(
            lambda rows: means.probes(clusters[rows]), means.targets(clusters), best.limits, best.limits, None, on_rows
        )
        for rows, columns, values in pairs:
            best.add(rows, columns, values)
            best.add(columns, rows, values)
        best.flush()
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
        best = SmallestEntries(len(rows), limit + means.float32_error)
        pairs = find_near_pairs(
            lambda some: means.probes(rows[some]), means.targets(columns), best.limits, None, mask, on_rows
        )
        for found in pairs:
            best.add(*found)
        best.flush()
        return Comparison(best, means.float32_error)
