"""The minimum spanning tree under mutual reachability, without an n×n matrix.

Mutual reachability (Campello et al. 2013, §3) of two faces is the largest of their distance
and of their two core distances; single linkage over it is HDBSCAN's hierarchy, and a minimum
spanning tree holds all of that.

Cut property (Borůvka 1926): the cheapest edge that leaves a part of the tree belongs to it.
Each face has a list of its nearest others, and a floor under the weights of all edges that
neither of their ends has listed. Where the cheapest listed edge out of a part is below all
floors in it, it is certainly the cheapest. Where it is not, faces of the part with low floors
get lists anew, now of faces outside their part. Equally heavy edges rank by the smaller, then
the larger end, so that there is one tree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from faceclust.cluster.blocked_pairs import find_near_pairs, triangle_progress
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.nearest_lists import LIST_LENGTH, SmallestEntries
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64, Indices

_CHUNK = 2048  # pairs gathered at a time: their rows stay in the processor's cache


def build_spanning_tree(
    embeddings: Float32, min_samples: int = 1, progress: Progress | None = None
) -> tuple[Indices, Indices, Float64]:
    """Smaller end, larger end and weight of the n − 1 edges, lightest first; n is at least 1.

    A face's core distance is that to its `min_samples`th nearest other face, as in the
    `hdbscan` package, or to the farthest where there are fewer. Weights are Euclidean, float64.
    """
    first, kind = _distinct_points(embeddings)
    copies = np.bincount(kind, minlength=len(first))
    tree = _SpanningTree(embeddings[first], copies, min(min_samples, len(embeddings) - 1), progress or SilentProgress())
    tree.grow()
    # No edge of a face is lighter than its core distance, so a copy hangs on the first of its
    # kind; before other edges of that weight, so that copies stay together.
    copy = np.setdiff1d(np.arange(len(embeddings)), first)
    a = np.concatenate([first[tree.low_end], first[kind[copy]]])
    b = np.concatenate([first[tree.high_end], copy])
    weight = np.concatenate([tree.weight, tree.core_distance[kind[copy]]])
    order = np.lexsort((b, a, np.arange(len(a)) < len(tree.low_end), weight))
    return a[order], b[order], weight[order]


def _distinct_points(embeddings: Float32) -> tuple[Indices, Indices]:
    """The first face of each kind, rising, and each face's kind; of one kind are equal ones."""
    rows = np.ascontiguousarray(embeddings)
    keys = rows.view(np.dtype((np.void, max(1, rows.dtype.itemsize * rows.shape[1])))).ravel()
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[kind]


class _SpanningTree:
    """Distinct points (n, d), the best forest of the edges known so far, and what is certain.

    `a` < `b`, `weight` and `certain`: the forest's edges, lightest first. `part` (n,): the tree
    of certain edges that a point is in, from 0 to `parts` − 1. `floor` (n,): edges to other
    parts that neither of their ends has listed are at least this heavy.
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
        """Make all of the tree certain."""
        self._run_boruvka()
        while self.part_count > 1:
            self._find_cheapest_edges()
            self._run_boruvka()

    # -- lists ------------------------------------------------------------------

    def _build_lists(self, copies: Indices, min_samples: int) -> None:
        """Every point's nearest others, from one pass over half of all pairs."""
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
        hide: Callable[[Float32, slice, slice], None] | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> None:
        """Offer `best` the pairs of points; half of them are compared where both sides are one."""
        both = rows is columns
        pairs = find_near_pairs(
            lambda some: self.means.probes(rows[some]),
            self.means.targets(columns),
            best.limits,
            best.limits if both else None,
            hide,
            on_rows,
        )
        for row, column, value in pairs:
            best.add(row, column, value)
            if both:
                best.add(column, row, value)
        best.flush()

    def _list_bounds(self, best: SmallestEntries) -> Float64:
        """What the distances to points that a list leaves out are at least; inf: it has all."""
        left_out = best.limits.astype(np.float64) - 2 * self.means.float32_error
        return np.where(best.full_rows, np.sqrt(np.maximum(left_out, 0)), np.inf)

    def _set_core_distances(
        self, row: Indices, column: Indices, distance: Float64, copies: Indices, min_samples: int
    ) -> None:
        if min_samples <= 1:
            # No two faces are nearer than their nearest, so the first alone changes no weight;
            # a copy's is 0, and so is its distance.
            return
        self.core_distance = _core_distances(row, distance, copies[column], copies, min_samples)
        everything = np.arange(len(self.points))
        for point in np.flatnonzero(self.core_distance > self.floor).tolist():  # too alike for float32
            others = everything[everything != point]
            distances = self._euclidean_distances(np.full(len(others), point), others)
            alone = np.zeros(len(others), np.int64)
            self.core_distance[point] = _core_distances(alone, distances, copies[others], copies[[point]], min_samples)[
                0
            ]

    def _euclidean_distances(self, a: Indices, b: Indices) -> Float64:
        """Euclidean distances of the pairs (a[i], b[i]), float64."""
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
        """The best forest of the edges so far and these. Certain edges stay in it: they are in
        the best tree of all edges, so in the best forest of any that include them."""
        n, known = len(self.points), len(self.low_end)
        low, high = np.concatenate([self.low_end, np.minimum(a, b)]), np.concatenate([self.high_end, np.maximum(a, b)])
        weight = np.concatenate([self.weight, self._mutual_reachability(a, b, distance)])
        keys, one = np.unique(low * n + high, return_index=True)  # of two that are alike the known one
        order = np.argsort(weight[one], kind="stable")
        one, (low, high) = one[order], np.divmod(keys[order], n)
        # By rank there are no ties, and no weight of 0, which a sparse matrix would take for none.
        rank = np.arange(1, len(one) + 1, dtype=np.float64)
        forest = minimum_spanning_tree(coo_array((rank, (low, high)), shape=(n, n)).tocsr())
        kept = np.sort(forest.data).astype(np.int64) - 1
        self.low_end, self.high_end, self.weight = low[kept], high[kept], weight[one[kept]]
        self.certain = np.append(self.certain, np.zeros(len(weight) - known, np.bool_))[one[kept]]

    def _cheapest_edges(self) -> tuple[Indices, Float64]:
        """Each part's first edge out of it in the forest, and its weight; beyond the last: none."""
        edges = np.flatnonzero(~self.certain)
        first = np.full(self.part_count, len(self.low_end))
        for end in (self.low_end, self.high_end):
            np.minimum.at(first, self.part[end[edges]], edges)
        return first, np.append(self.weight, np.inf)[first]

    def _run_boruvka(self) -> None:
        """Rounds of Borůvka's with the edges known, as far as they are certain."""
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

    # -- worn lists -----------------------------------------------------------------

    def _find_cheapest_edges(self) -> None:
        """Find the cheapest edge out of every part but one."""
        reach = self._cheapest_edges()[1][self.part]
        needy = self.floor <= reach
        # The others' edges join the part that is the most work; it need not look itself.
        spared = int(np.bincount(self.part[needy]).argmax())
        rows = np.flatnonzero(needy & (self.part != spared))
        limit = float(reach[rows].max())
        # An edge that neither end has listed is no lighter than the higher of their floors.
        columns = np.flatnonzero(self.floor <= limit)
        rows, columns = (some[np.argsort(self.part[some], kind="stable")] for some in (rows, columns))
        if 2 * len(rows) > len(columns):
            rows = columns
        self._rebuild_lists(rows, columns, limit)
        cheapest = self._cheapest_edges()[1]
        stuck = rows[(self.floor[rows] <= cheapest[self.part[rows]]) & (self.part[rows] != spared)]
        if len(stuck):
            self._find_cheapest_exactly(stuck, columns, cheapest)

    def _rebuild_lists(self, rows: Indices, columns: Indices, limit: float) -> None:
        """The nearest of `columns` outside their part, no farther than `limit`, for `rows`."""
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
        """The cheapest edges out of parts of which only `rows` can have a cheaper one than
        `cheapest` (parts,), in float64: for points too alike for float32 to tell apart, and for
        those whose nearest have large core distances."""
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
        """Puts nan over the pairs of one part; both are sorted by part."""
        row_part, column_part = self.part[rows], self.part[columns]

        def hide(tile: Float32, r: slice, c: slice) -> None:
            left, right = row_part[r], column_part[c]
            if left[0] <= right[-1] and right[0] <= left[-1]:
                tile[left[:, None] == right] = np.nan

        return hide


def _listed_pairs(best: SmallestEntries) -> tuple[Indices, Indices]:
    """Row and column of all that the lists hold, rows rising."""
    row, slot = np.nonzero(best.columns >= 0)
    return row, best.columns[row, slot].astype(np.int64)


def _core_distances(row: Indices, distance: Float64, weight: Indices, own: Indices, min_samples: int) -> Float64:
    """Each row's distance to its `min_samples`th nearest other face, from its neighbours, which
    stand for `weight` faces each; a row stands for `own`, which are at 0 of each other. inf
    where too few are listed."""
    order = np.lexsort((distance, row))
    row, distance = row[order], distance[order]
    total = np.cumsum(weight[order])
    starts = np.searchsorted(row, np.arange(len(own) + 1))
    before = np.append(0, total)[starts[:-1]]
    reached = np.searchsorted(total, before + min_samples - own + 1)  # the first from which there are enough
    core = np.append(distance, np.inf)[np.minimum(reached, len(distance))]
    return np.where(own > min_samples, 0.0, np.where(reached < starts[1:], core, np.inf))
