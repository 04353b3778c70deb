"""Compare all pairs of clusters in float32: the part of clustering that other machines and devices can do.

Engines differ in the last bits of each product: so do processors, BLAS kernels and shapes of tiles. The
clusters are equal to the last bit nevertheless, if an engine keeps this contract:

1. A pair that is left out of a row's list, though no exclusion forbids it, has a true distance of at
   least the row's final limit minus the error bound. The limits that an engine compares with may be out
   of date, which means higher, but never lower than the final ones. So the order and size of the tiles
   do not matter. Each pair is added once: complete linkage counts the entries of a list.
2. A full list says that pairs may be missing, and any other list says that none is. So an engine that
   cuts lists itself keeps LIST_LENGTH entries in addition to those it removes afterwards, such as
   the row's own cluster and excluded ones; or it hides these before it cuts.
3. The error bound is the largest of all that took part. It covers float32 products in any order of
   addition, with or without fused multiplication; TF32, float16 and bfloat16 need a larger one.
4. Results are positions and float32 distances. The caller computes in float64 which cluster is nearest:
   it evaluates the candidates again, and compares rows exactly if the bound leaves a doubt. "Equal"
   means equal to the same caller without this engine, since float64 depends on the processor too.
5. The list length is LIST_LENGTH everywhere. A shorter list can change the order of equal distances.
6. Rows are computed from the stored embeddings and `ClusterMeans.centre`: the embedding in float64 minus
   the centre. Float16 embeddings may be sent as float16, centred ones may not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from faceclust.cluster.blocked_pairs import NearPairs, find_near_pairs
from faceclust.cluster.constraints import TileMask
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.integer_filter import IntegerFilter, IntegerProduct
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.types import Float32, Indices

OnRows = Callable[[int], None]

#: With fewer rows, converting the columns to integers takes longer than is saved.
MIN_FILTERED_ROWS = 2048


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
    """Compares pairs in threads of this process, by NumPy's matrix product.

    `integer_product` multiplies matrices of 8-bit integers. If it is given, it rules out most pairs beforehand.
    """

    def __init__(self, integer_product: IntegerProduct | None = None) -> None:
        self._integer_product = integer_product

    def compare_all(self, means: ClusterMeans, clusters: Indices, limit: float, on_rows: OnRows) -> Comparison:
        """See `PairEngine`."""
        best = SmallestEntries(len(clusters), limit + means.float32_error)
        pairs = self._find_near_pairs(means, clusters, clusters, best.limits, best.limits, None, on_rows)
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
        for found in self._find_near_pairs(means, rows, columns, best.limits, None, mask, on_rows):
            best.add(*found)
        best.flush()
        return Comparison(best, means.float32_error)

    def _find_near_pairs(
        self,
        means: ClusterMeans,
        rows: Indices,
        columns: Indices,
        row_limits: Float32,
        column_limits: Float32 | None,
        mask: TileMask | None,
        on_rows: OnRows,
    ) -> Iterator[NearPairs]:
        targets, integer_filter = means.targets(columns), None
        if self._integer_product is not None and len(rows) >= MIN_FILTERED_ROWS:
            built = IntegerFilter(self._integer_product, targets, means.float32_error)
            integer_filter = built if built.is_useful else None
        return find_near_pairs(
            lambda some: means.probes(rows[some]),
            targets,
            row_limits,
            column_limits,
            mask,
            on_rows,
            integer_filter=integer_filter,
        )
