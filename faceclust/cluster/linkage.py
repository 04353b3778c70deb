"""Exact agglomerative clustering over squared L2, cut at a threshold, in O(n·d) memory.

All linkages here are reducible (Bruynooghe 1977): merging two clusters brings neither nearer
to a third than the nearer of them was. So pairs that are each other's nearest neighbour may be
merged in any order, many in a round, with the same outcome; a cluster's nearest neighbour stays
its nearest until one of the two merges; and a cluster whose neighbours are all beyond the
threshold is finished for good. Cannot-links keep this true, for a merge only ever adds to what
a cluster may not meet.

A cluster's nearest neighbour comes from a short list: where the best one listed is nearer
than the list's bound, it is certainly the nearest. Where merges have worn a list down so
that this no longer holds, the list is made anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.distances import Float64, Indices
from faceclust.cluster.neighbours import LENGTH, Nearest, NeighbourLists
from faceclust.cluster.rules import RULES, Average
from faceclust.cluster.tiles import near_pairs
from faceclust.progress import Progress, Silent
from faceclust.types import Float32

_CHUNK = 1 << 16  # lists brought up to date at a time: bounds the memory


def agglomerate(
    embeddings: Float32,
    threshold: float,
    linkage: str = "average",
    constraints: Constraints | None = None,
    progress: Progress | None = None,
) -> Indices:
    """Each face's cluster, named by its smallest member's position, (n,) int64.

    The clusters are those of SciPy's `linkage(method=linkage)` on squared Euclidean distances
    cut at `threshold` (merged while the distance is ≤ it, within float64 rounding), as long as
    no constraint changes them; of equally near pairs the one whose clusters have the smallest
    names comes first. Must-linked faces start as one cluster.
    """
    return _Agglomeration(embeddings, threshold, linkage, constraints or Constraints(), progress or Silent()).run()


class _Agglomeration:
    def __init__(
        self, embeddings: Float32, threshold: float, linkage: str, constraints: Constraints, progress: Progress
    ) -> None:
        n = len(embeddings)
        self.progress = progress
        self.rule = RULES[linkage](embeddings)
        self.means = self.rule.means
        self.limit = threshold + self.means.grid
        self.parent = np.arange(n)
        for group in constraints.must_link:
            self._unite(group)
        self.exclusions = ExclusionIndex(constraints.exclusions, self.find, n)
        self._unite_duplicates(embeddings)
        self.alive = self.parent == np.arange(n)
        self.live: Indices = np.flatnonzero(self.alive)  # clusters that may still grow, and some dead ones
        self.lists = NeighbourLists.unknown(n)
        self.nearest = np.full(n, -1, np.int64)
        self.distance = np.full(n, np.inf)
        self.certain = np.zeros(n, np.bool_)

    def run(self) -> Indices:
        if len(self.live) > 1:
            self._first_lists()
            self.progress.start("grouping", len(self.live))
            changed = self.live
            while len(changed):
                changed = self._round(changed)
            self.progress.finish()
        return self.find(np.arange(len(self.parent)))

    def find(self, ids: NDArray[np.integer]) -> Indices:
        """The clusters that these have become part of."""
        roots = self.parent[ids]
        while True:
            above = self.parent[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        self.parent[ids] = roots
        return np.asarray(roots)

    # -- before the first merge ---------------------------------------------

    def _unite(self, group: Indices) -> None:
        self.means.unite(group)
        self.parent[group] = group.min()

    def _unite_duplicates(self, embeddings: Float32) -> None:
        """Equal points merge first in any case; done beforehand, they cost no rounds."""
        single = np.flatnonzero((self.means.sizes == 1) & (self.parent == np.arange(len(embeddings))))
        rows = np.ascontiguousarray(embeddings[single])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        several = np.flatnonzero(counts[inverse] > 1)
        several = several[np.argsort(inverse[several], kind="stable")]
        for group in np.split(single[several], np.flatnonzero(np.diff(inverse[several])) + 1):
            if len(group) and not self.exclusions.contradicts(group):
                self.exclusions.merge(int(group.min()), group[group != group.min()].tolist())
                self._unite(group)

    def _first_lists(self) -> None:
        """The lists of all clusters, from one pass over half of all pairs."""
        # Clusters compared by their points begin as points; so do their lists.
        by_mean = isinstance(self.rule, Average)
        start = self.live if by_mean else np.arange(len(self.parent))
        best = Nearest(len(start), self.limit + self.means.rounding32)
        self.progress.start("comparing faces", len(start), "faces")
        points = self.rule.start
        pairs = near_pairs(
            lambda rows: points.probes(start[rows]),
            points.targets(start),
            best.limits,
            best.limits,
            on_rows=self.progress.advance,
        )
        for rows, columns, values in pairs:
            best.offer(rows, columns, values)
            best.offer(columns, rows, values)
        best.settle()
        self.progress.finish()
        self._keep(start, start, best)
        if not by_mean:
            seeded = self.live[self.means.sizes[self.live] > 1]
            self.lists.ids[seeded], self.lists.bound[seeded] = -1, -np.inf
            self._choose(seeded)

    def _keep(self, rows: Indices, columns: Indices, best: Nearest) -> None:
        """Float32 lists of `rows` among `columns` as lists with exact distances."""
        # What was left out is no nearer than the worst kept one, up to rounding.
        left_out = best.limits.astype(np.float64) - 2 * self.means.rounding32
        self.lists.bound[rows] = np.where(best.full, left_out, np.inf)
        self.lists.ids[rows] = -1
        for first in range(0, len(rows), _CHUNK):
            some = rows[first : first + _CHUNK]
            found = best.columns[first : first + _CHUNK]
            row, slot = np.nonzero(found >= 0)
            near, row_ids = columns[found[row, slot]], some[row]
            distances = self.rule.start.distance(row_ids, near)
            good = (distances <= self.limit) & (near != row_ids)
            row_ids, slot, near = row_ids[good], slot[good], near[good]
            self.lists.ids[row_ids, slot] = near
            self.lists.distances[row_ids, slot] = distances[good]
            self.lists.sizes[row_ids, slot] = self.rule.start.sizes[near]
            self._evaluate(some[self.alive[some]])

    # -- rounds ---------------------------------------------------------------

    def _round(self, changed: Indices) -> Indices:
        """Merge what may be merged; else make worn lists anew. Gives the clusters whose nearest
        neighbour was looked for again; none: all is done."""
        into, others = self._mutual_pairs(changed)
        if not len(into):
            self.live = self.live[self.alive[self.live]]
            worn = self.live[~self.certain[self.live]]
            if len(worn):
                self._refresh(worn)
                return worn
            into, others = self._nearest_pair()
            if not len(into):
                return into
        return self._merge(into, others)

    def _mutual_pairs(self, changed: Indices) -> tuple[Indices, Indices]:
        a = changed[self.certain[changed]]
        b = self.nearest[a]
        mutual = (b >= 0) & self.certain[b] & (self.nearest[b] == a)
        a, b = a[mutual], b[mutual]
        pairs = np.unique(np.minimum(a, b) * len(self.parent) + np.maximum(a, b))
        return np.divmod(pairs, len(self.parent))

    def _nearest_pair(self) -> tuple[Indices, Indices]:
        """Ties can chase each other in a ring; the nearest pair of all is safe to merge."""
        a = self.live[self.nearest[self.live] >= 0]
        b = self.nearest[a]
        low, high = np.minimum(a, b), np.maximum(a, b)
        first = np.lexsort((high, low, self.distance[a]))[:1]
        return low[first], high[first]

    def _merge(self, into: Indices, others: Indices) -> Indices:
        lists = self.lists
        pair = np.stack([into, others])
        lists.bound[into] = self.rule.merged_bound(lists.bound[pair], self.means.sizes[pair], self.limit)
        self.means.merge(into, others)
        for a, b in zip(into.tolist(), others.tolist(), strict=True):
            self.exclusions.merge(a, [b])
        self.parent[others] = into
        self.alive[others] = False
        gone = np.zeros(len(self.parent), np.bool_)
        gone[pair] = True
        nearest = self.nearest[self.live]
        lost = self.live[gone[nearest] & (nearest >= 0)]
        lost = lost[self.alive[lost] & ~gone[lost]]
        if np.count_nonzero(self.alive[self.live]) < 0.9 * len(self.live):
            self.live = self.live[self.alive[self.live]]
        self._evaluate(into, others)
        self._evaluate(lost)
        self.progress.advance(len(into))
        return np.concatenate([into, lost])

    def _evaluate(self, rows: Indices, others: Indices | None = None) -> None:
        """Bring the lists of clusters up to date, of those just merged with the lists of the
        `others` they took in, and choose their nearest neighbours."""
        for first in range(_CHUNK, len(rows), _CHUNK):
            part = slice(first, first + _CHUNK)
            self._evaluate(rows[part], None if others is None else others[part])
        rows, others = rows[:_CHUNK], None if others is None else others[:_CHUNK]
        sources = [rows] if others is None else [rows, others]
        ids = np.concatenate([self.lists.ids[source] for source in sources], axis=1)
        owner, slot = np.nonzero(ids >= 0)
        distances = np.concatenate([self.lists.distances[source] for source in sources], axis=1)[owner, slot]
        sizes = np.concatenate([self.lists.sizes[source] for source in sources], axis=1)[owner, slot]
        roots = self.find(ids[owner, slot])
        kept = roots != rows[owner]
        owner, roots, distances, sizes = owner[kept], roots[kept], distances[kept], sizes[kept]
        order = np.argsort(owner * len(self.parent) + roots)
        owner, roots = owner[order], roots[order]
        starts = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(roots, prepend=-1) != 0))
        if len(starts):
            distances = self.rule.combine(
                rows[owner[starts]], roots[starts], distances[order], sizes[order], starts, len(sources)
            )
        owner, roots = owner[starts], roots[starts]
        good = distances <= self.limit
        owner, roots, distances = owner[good], roots[good], distances[good]
        self._store(rows, *self._shortened(rows, owner, roots, distances))
        self._choose(rows)

    def _shortened(
        self, rows: Indices, owner: Indices, roots: Indices, distances: Float64
    ) -> tuple[Indices, Indices, Float64]:
        """Entries, sorted by owner, with no more than LENGTH of one owner: the nearest."""
        counts = np.bincount(owner, minlength=len(rows))
        if counts.max(initial=0) <= LENGTH:
            return owner, roots, distances
        order = np.lexsort((roots, distances, owner))
        owner, roots, distances = owner[order], roots[order], distances[order]
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        first_out = rank == LENGTH
        cut = rows[owner[first_out]]
        self.lists.bound[cut] = np.minimum(self.lists.bound[cut], distances[first_out])
        kept = rank < LENGTH
        return owner[kept], roots[kept], distances[kept]

    def _store(self, rows: Indices, owner: Indices, roots: Indices, distances: Float64) -> None:
        counts = np.bincount(owner, minlength=len(rows))
        slot = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.lists.ids[rows] = -1
        self.lists.ids[rows[owner], slot] = roots
        self.lists.distances[rows[owner], slot] = distances
        self.lists.sizes[rows[owner], slot] = self.means.sizes[roots]

    def _choose(self, rows: Indices) -> None:
        """The nearest listed neighbour that may be met, ties by the smaller, then the larger
        name of the pair. A neighbour that may not be met leaves the list."""
        lists = self.lists
        while len(rows):
            ids, distances = lists.ids[rows], np.where(lists.ids[rows] >= 0, lists.distances[rows], np.inf)
            best = distances.min(axis=1)
            low, high = np.minimum(ids, rows[:, None]), np.maximum(ids, rows[:, None])
            tied = (distances == best[:, None]) & (ids >= 0)
            rank = np.where(tied, low * np.int64(len(self.parent)) + high, np.iinfo(np.int64).max)
            slot = rank.argmin(axis=1)
            nearest = ids[np.arange(len(rows)), slot]
            rivals = self.exclusions.conflicts(rows, nearest)
            lists.ids[rows[rivals], slot[rivals]] = -1
            done = rows[~rivals]
            self.nearest[done], self.distance[done] = nearest[~rivals], best[~rivals]
            bound = lists.bound[done]
            self.certain[done] = (best[~rivals] < bound) | (bound == np.inf)
            rows = rows[rivals]

    # -- worn lists -----------------------------------------------------------

    def _refresh(self, worn: Indices) -> None:
        """Make these clusters' lists anew from all clusters that may still grow."""
        if isinstance(self.rule, Average):
            self._refresh_by_means(worn)
            worn = worn[~self.certain[worn]]
        cluster_of = self.find(np.arange(len(self.parent)))
        for cluster in worn.tolist():
            self._refresh_exactly(cluster, cluster_of)
        self._choose(worn)

    def _refresh_by_means(self, worn: Indices) -> None:
        hide = self.exclusions.curtain(worn, self.live)
        best = Nearest(len(worn), self.limit + self.means.rounding32)
        pairs = near_pairs(
            lambda rows: self.means.probes(worn[rows]), self.means.targets(self.live), best.limits, hide=hide
        )
        for rows, columns, values in pairs:
            best.offer(rows, columns, values)
        best.settle()
        self._keep(worn, self.live, best)

    def _refresh_exactly(self, cluster: int, cluster_of: Indices) -> None:
        """One cluster's list in float64 alone, ties by name: for those whose neighbours are too
        alike for float32 to tell apart, and for clusters compared by their points."""
        lists = self.lists
        others = np.setdiff1d(self.live, np.append(self.exclusions.rivals(cluster), cluster), assume_unique=True)
        distances = self.rule.distances_from(cluster, others, cluster_of)
        order = np.lexsort((others, distances))
        order = order[: np.searchsorted(distances[order], self.limit, side="right")]
        kept = order[:LENGTH]
        lists.ids[cluster] = -1
        lists.ids[cluster, : len(kept)], lists.distances[cluster, : len(kept)] = others[kept], distances[kept]
        lists.sizes[cluster, : len(kept)] = self.means.sizes[others[kept]]
        lists.bound[cluster] = np.nextafter(distances[order[LENGTH]], np.inf) if len(order) > LENGTH else np.inf
