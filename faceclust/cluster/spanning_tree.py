"""The minimum spanning tree under mutual reachability distance, without an n×n matrix.

The mutual reachability distance of two faces (Campello et al. 2013, §3) is the maximum of their
distance and their two core distances. Single linkage over it is HDBSCAN's hierarchy, which a minimum
spanning tree represents completely.

The cut property (Borůvka 1926) says that the cheapest edge out of a part of the tree belongs to it.
Each face has a list of its nearest neighbours, and a floor: a lower bound for the weights of edges
that neither of their ends has listed. If the cheapest listed edge out of a part is below all its
floors, it is certainly the cheapest. Otherwise the faces with low floors get new lists of faces
outside their part. Edges of equal weight rank by the smaller, then the larger end, so that the tree
is unique.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from faceclust.cluster.blocked_pairs import find_near_pairs, triangle_progress
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import label_equal_rows
from faceclust.cluster.nearest_lists import LIST_LENGTH, SmallestEntries
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64, Indices

_CHUNK = 2048  # pairs gathered at a time, so that their rows stay in the processor's cache


def build_spanning_tree(
    embeddings: Float32, min_samples: int = 1, progress: Progress | None = None
) -> tuple[Indices, Indices, Float64]:
    """Return the smaller end, larger end and weight of the n − 1 edges, lightest first; n is at least 1.

    A face's core distance is the distance to its `min_samples`th nearest other face, as in the
    `hdbscan` package, or to the farthest one if there are fewer. Weights are Euclidean, float64.
    """
    first, kind = _distinct_points(embeddings)
    copies = np.bincount(kind, minlength=len(first))
    tree = _SpanningTree(embeddings[first], copies, min(min_samples, len(embeddings) - 1), progress or SilentProgress())
    tree.grow()
    # No edge of a face is lighter than its core distance. So each copy is connected to the first of its
    # kind, and these edges precede others of equal weight, which keeps copies together.
    copy = np.setdiff1d(np.arange(len(embeddings)), first)
    a = np.concatenate([first[tree.low_end], first[kind[copy]]])
    b = np.concatenate([first[tree.high_end], copy])
    weight = np.concatenate([tree.weight, tree.core_distance[kind[copy]]])
    order = np.lexsort((b, a, np.arange(len(a)) < len(tree.low_end), weight))
    return a[order], b[order], weight[order]


def _distinct_points(embeddings: Float32) -> tuple[Indices, Indices]:
    """Return the first face of each kind, ascending, and each face's kind; equal faces are of one kind."""
    first, kind = label_equal_rows(embeddings)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[kind]


class _SpanningTree:
    """Distinct points (n, d), the minimum spanning forest of the edges known so far, and its certain edges.

    `low_end` < `high_end`, `weight` and `certain` are the forest's edges, lightest first. `part` (n,)
    is each point's tree of certain edges, from 0 to `part_count` − 1. `floor` (n,) is a lower bound
    for the weights of a point's edges to other parts that neither end has listed.
    """

    def __init__(self, points: Float32, copies: Indices, min_samples: int, progress: Progress) -> None:
        n = len(points)
        self.points = points
        self.progress = progress
        self.means = ClusterMeans(points)
        self.low_end, self.high_end, self.weight = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        self.certain = np.empty(0, np.bool_)
        self.part, self.part_count = np.arange(n), n
        self.core_distance = np.zeros(n)
        self.floor = np.zeros(n)
        self._build_lists(copies, min_samples)

    def grow(self) -> None:
        """Add edges until the whole tree is certain."""
        self._run_boruvka()
        while self.part_count > 1:
            self._find_cheapest_edges()
            self._run_boruvka()

    # -- lists ------------------------------------------------------------------

    def _build_lists(self, copies: Indices, min_samples: int) -> None:
        """List every point's nearest neighbours in one pass over half of all pairs."""
        everything = np.arange(len(self.points))
        best = SmallestEntries(len(everything), np.inf, max(LIST_LENGTH, min_samples))
        self.progress.start("comparing faces", len(everything), "faces")
        self._compare_points(
            best, everything, everything, on_rows=triangle_progress(self.progress.advance, len(everything))
        )
        self.progress.finish()
        row, column = _listed_pairs(best)
        distance = self._euclidean_distances(row, column)
        self.floor = self._list_bounds(best)
        self._set_core_distances(row, column, distance, copies, min_samples)
        self.floor = np.maximum(self.floor, self.core_distance)
        self._add_edges(row, column, distance)

    def _compare_points(
        self,
        best: SmallestEntries,
        rows: Indices,
        columns: Indices,
        mask: Callable[[Float32, slice, slice], None] | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> None:
        """Add the pairs of points to `best`. If both sides are the same array, compare half of the pairs."""
        symmetric = rows is columns
        pairs = find_near_pairs(
            lambda some: self.means.probes(rows[some]),
            self.means.targets(columns),
            best.limits,
            best.limits if symmetric else None,
            mask,
            on_rows,
        )
        for row, column, value in pairs:
            best.add(row, column, value)
            if symmetric:
                best.add(column, row, value)
        best.flush()

    def _list_bounds(self, best: SmallestEntries) -> Float64:
        """Return a lower bound for the distances to unlisted points; inf if a list is complete."""
        left_out = best.limits.astype(np.float64) - 2 * self.means.float32_error
        return np.where(best.full_rows, np.sqrt(np.maximum(left_out, 0)), np.inf)

    def _set_core_distances(
        self, row: Indices, column: Indices, distance: Float64, copies: Indices, min_samples: int
    ) -> None:
        if min_samples <= 1:
            # A core distance to the nearest face is at most any edge of a face, so it changes no weight.
            return
        self.core_distance = _core_distances(row, distance, copies[column], copies, min_samples)
        everything = np.arange(len(self.points))
        for point in np.flatnonzero(self.core_distance > self.floor).tolist():  # float32 cannot separate them
            others = everything[everything != point]
            distances = self._euclidean_distances(np.full(len(others), point), others)
            alone = np.zeros(len(others), np.int64)
            self.core_distance[point] = _core_distances(alone, distances, copies[others], copies[[point]], min_samples)[
                0
            ]

    def _euclidean_distances(self, a: Indices, b: Indices) -> Float64:
        """Return the Euclidean distances of the pairs (a[i], b[i]), float64."""
        out = np.empty(len(a))
        for start in range(0, len(a), _CHUNK):
            part = slice(start, start + _CHUNK)
            difference = self.points[a[part]].astype(np.float64) - self.points[b[part]]
            out[part] = np.einsum("ij,ij->i", difference, difference)
        return np.sqrt(out, out=out)

    # -- edges --------------------------------------------------------------------

    def _mutual_reachability(self, a: Indices, b: Indices, distance: Float64) -> Float64:
        return np.maximum(distance, np.maximum(self.core_distance[a], self.core_distance[b]))

    def _add_edges(self, a: Indices, b: Indices, distance: Float64) -> None:
        """Update the minimum spanning forest with these edges.

        Certain edges stay in it: they belong to the minimum spanning tree of all edges, so also to the
        minimum spanning forest of any subset that includes them.
        """
        n, known = len(self.points), len(self.low_end)
        low, high = np.concatenate([self.low_end, np.minimum(a, b)]), np.concatenate([self.high_end, np.maximum(a, b)])
        weight = np.concatenate([self.weight, self._mutual_reachability(a, b, distance)])
        keys, one = np.unique(low * n + high, return_index=True)  # of duplicates the known one
        order = np.argsort(weight[one], kind="stable")
        one, (low, high) = one[order], np.divmod(keys[order], n)
        # Ranks instead of weights: no ties, and no weight of 0, which a sparse matrix would drop.
        rank = np.arange(1, len(one) + 1, dtype=np.float64)
        forest = minimum_spanning_tree(coo_array((rank, (low, high)), shape=(n, n)).tocsr())
        kept = np.sort(forest.data).astype(np.int64) - 1
        self.low_end, self.high_end, self.weight = low[kept], high[kept], weight[one[kept]]
        self.certain = np.append(self.certain, np.zeros(len(weight) - known, np.bool_))[one[kept]]

    def _cheapest_edges(self) -> tuple[Indices, Float64]:
        """Return each part's cheapest edge out of it in the forest and its weight.

        The number of edges and inf mean that there is none.
        """
        edges = np.flatnonzero(~self.certain)
        first = np.full(self.part_count, len(self.low_end))
        for end in (self.low_end, self.high_end):
            np.minimum.at(first, self.part[end[edges]], edges)
        return first, np.append(self.weight, np.inf)[first]

    def _run_boruvka(self) -> None:
        """Run rounds of Borůvka's algorithm with the known edges, as long as they are certain."""
        while True:
            first, weight = self._cheapest_edges()
            floor = np.full(self.part_count, np.inf)
            np.minimum.at(floor, self.part, self.floor)
            sure = first[weight < floor]
            if not len(sure):
                return
            self._make_certain(sure)

    def _make_certain(self, edges: Indices) -> None:
        self.certain[edges] = True
        a, b = self.low_end[self.certain], self.high_end[self.certain]
        graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(self.part), len(self.part)))
        self.part_count, part = connected_components(graph, directed=False)
        self.part = part.astype(np.int64)

    # -- exhausted lists --------------------------------------------------------------

    def _find_cheapest_edges(self) -> None:
        """Find the cheapest edge out of every part except one."""
        cheapest = self._cheapest_edges()[1][self.part]
        uncertain = self.floor <= cheapest
        # The part with the most uncertain faces is skipped: the edges of all other parts suffice to join it.
        skipped = int(np.bincount(self.part[uncertain]).argmax())
        rows = np.flatnonzero(uncertain & (self.part != skipped))
        limit = float(cheapest[rows].max())
        # An edge that neither end has listed is at least as heavy as the higher of their floors.
        columns = np.flatnonzero(self.floor <= limit)
        rows, columns = (some[np.argsort(self.part[some], kind="stable")] for some in (rows, columns))
        if 2 * len(rows) > len(columns):
            rows = columns
        self._rebuild_lists(rows, columns, limit)
        cheapest = self._cheapest_edges()[1]
        unresolved = rows[(self.floor[rows] <= cheapest[self.part[rows]]) & (self.part[rows] != skipped)]
        if len(unresolved):
            self._find_cheapest_exactly(unresolved, columns, cheapest)

    def _rebuild_lists(self, rows: Indices, columns: Indices, limit: float) -> None:
        """List the nearest `columns` outside their own part, up to `limit`, for each of `rows`."""
        best = SmallestEntries(len(rows), limit**2 + 2 * self.means.float32_error)
        self.progress.start("comparing groups", len(rows), "faces")
        self._compare_points(best, rows, columns, self._mask_same_part(rows, columns), self.progress.advance)
        self.progress.finish()
        self.floor[rows] = np.maximum(
            self.floor[rows], np.minimum(self._list_bounds(best), np.nextafter(limit, np.inf))
        )
        row, column = _listed_pairs(best)
        row, column = rows[row], columns[column]
        self._add_edges(row, column, self._euclidean_distances(row, column))

    def _find_cheapest_exactly(self, rows: Indices, columns: Indices, cheapest: Float64) -> None:
        """Find the cheapest edges out of some parts in float64, and make them certain.

        Only `rows` can have a cheaper one than `cheapest` (parts,). This is for points that float32
        cannot separate, and for those whose nearest neighbours have large core distances.
        """
        part = self.part[rows]
        slack = 2 * self.means.float32_error
        limits = (cheapest[part] ** 2 + slack).astype(np.float32)
        pairs = find_near_pairs(
            lambda some: self.means.probes(rows[some]),
            self.means.targets(columns),
            limits,
            mask=self._mask_same_part(rows, columns),
        )
        found = []
        for row, column, _ in pairs:
            a, b = rows[row], columns[column]
            weight = self._mutual_reachability(a, b, self._euclidean_distances(a, b))
            owner = self.part[a]
            order = np.lexsort((np.maximum(a, b), np.minimum(a, b), weight, owner))
            best = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
            best = best[weight[best] <= cheapest[owner[best]]]
            found.append((a[best], b[best]))
            cheapest[owner[best]] = weight[best]
            limits[:] = cheapest[part] ** 2 + slack
        a, b = (np.concatenate(ends) for ends in zip(*found, strict=True))
        self._add_edges(a, b, self._euclidean_distances(a, b))
        self._make_certain(self._cheapest_edges()[0][np.unique(part)])

    def _mask_same_part(self, rows: Indices, columns: Indices) -> Callable[[Float32, slice, slice], None]:
        """Build a mask that sets pairs of the same part to nan; `rows` and `columns` are sorted by part."""
        row_part, column_part = self.part[rows], self.part[columns]

        def mask_tile(tile: Float32, row_range: slice, column_range: slice) -> None:
            left, right = row_part[row_range], column_part[column_range]
            if left[0] <= right[-1] and right[0] <= left[-1]:
                tile[left[:, None] == right] = np.nan

        return mask_tile


def _listed_pairs(best: SmallestEntries) -> tuple[Indices, Indices]:
    """Return the row and column of all listed pairs, rows ascending."""
    row, slot = np.nonzero(best.columns >= 0)
    return row, best.columns[row, slot].astype(np.int64)


def _core_distances(row: Indices, distance: Float64, weight: Indices, own: Indices, min_samples: int) -> Float64:
    """Return each row's distance to its `min_samples`th nearest other face; inf if too few are listed.

    `row` and `distance` list neighbours, each of which stands for `weight` equal faces. A row itself
    stands for `own` equal faces, which are at distance 0 from each other.
    """
    order = np.lexsort((distance, row))
    row, distance = row[order], distance[order]
    total = np.cumsum(weight[order])
    starts = np.searchsorted(row, np.arange(len(own) + 1))
    before = np.append(0, total)[starts[:-1]]
    reached = np.searchsorted(total, before + min_samples - own + 1)  # the first from which there are enough
    core = np.append(distance, np.inf)[np.minimum(reached, len(distance))]
    return np.where(own > min_samples, 0.0, np.where(reached < starts[1:], core, np.inf))
