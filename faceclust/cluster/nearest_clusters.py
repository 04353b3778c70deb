"""Track each cluster's nearest neighbour while clusters merge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import triangle_progress
from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.linkage_rules import ClusterMembers, LinkageRule
from faceclust.cluster.nearest_lists import LIST_LENGTH, NeighbourLists
from faceclust.cluster.pair_engine import Comparison, PairEngine
from faceclust.progress import Progress
from faceclust.types import Float64, Indices

_CHUNK = 1 << 16  # lists updated at a time, which bounds the memory
_MIN_REPORTED_PAIRS = 10**9  # comparing this many pairs takes long enough for a progress stage


class NearestClusters:
    """The clusters, their lists of neighbours, and each one's nearest neighbour if that is certain.

    A list is updated only when its cluster or its nearest neighbour has merged. Until then its
    entries keep the names and sizes of the clusters they were computed for.
    """

    def __init__(
        self,
        rule: LinkageRule,
        threshold: float,
        constraints: Constraints,
        progress: Progress,
        engine: PairEngine,
    ) -> None:
        self.rule, self.means, self.progress, self.engine = rule, rule.means, progress, engine
        n = len(self.means.sizes)
        self.limit = rule.initial_means.shift_limit(threshold) + self.means.distance_step
        self.parent = np.arange(n)
        for group in constraints.must_link:
            self.merge_group(group)
        self.exclusions = ExclusionIndex(constraints.exclusions, self.find, n)
        self.alive = self.parent == np.arange(n)
        self.active: Indices = np.flatnonzero(self.alive)  # clusters that may still grow, and some merged ones
        self.lists = NeighbourLists.unknown(n)
        self.nearest = np.full(n, -1, np.int64)
        self.distance = np.full(n, np.inf)
        self.certain = np.zeros(n, np.bool_)

    def report_progress(self) -> None:
        """Resume the caller's progress stage, after a stage of comparing."""

    def merge_group(self, group: Indices) -> None:
        """Merge several clusters into one, before the lists are built."""
        self.means.merge_group(group)
        self.parent[group] = group.min()

    def find(self, ids: NDArray[np.integer]) -> Indices:
        """Return the current clusters of these points or former clusters."""
        roots = self.parent[ids]
        while True:
            above = self.parent[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        self.parent[ids] = roots
        return np.asarray(roots)

    def build_lists(self) -> None:
        """Build the lists of all clusters in one pass over half of all pairs."""
        # Rules that compare points need lists of points to start with, not of clusters.
        start = self.active if self.rule.uses_means else np.arange(len(self.parent))
        self.progress.start("comparing faces", len(start), "faces")
        on_rows = triangle_progress(self.progress.advance, len(start))
        found = self.engine.compare_all(self.rule.initial_means, start, self.limit, on_rows)
        self.progress.finish()
        self._store_exact_distances(start, start, found)
        if not self.rule.uses_means:
            seeded = self.active[self.means.sizes[self.active] > 1]
            self.lists.ids[seeded], self.lists.bound[seeded] = -1, -np.inf
            self._choose_nearest(seeded)

    def _store_exact_distances(self, rows: Indices, columns: Indices, found: Comparison) -> None:
        """Convert float32 lists of `rows` among `columns` to lists with exact distances."""
        best = found.nearest
        # A pair that was left out is no nearer than the farthest kept one, up to rounding.
        left_out = best.limits.astype(np.float64) - 2 * found.error
        self.lists.bound[rows] = np.where(best.full_rows, left_out, np.inf)
        self.lists.ids[rows] = -1
        for first in range(0, len(rows), _CHUNK):
            some = rows[first : first + _CHUNK]
            listed = best.columns[first : first + _CHUNK]
            row, slot = np.nonzero(listed >= 0)
            near, row_ids = columns[listed[row, slot]], some[row]
            distances = self.rule.initial_means.pair_distances(row_ids, near)
            good = (distances <= self.limit) & (near != row_ids)
            row_ids, slot, near = row_ids[good], slot[good], near[good]
            self.lists.ids[row_ids, slot] = near
            self.lists.distances[row_ids, slot] = distances[good]
            self.lists.sizes[row_ids, slot] = self.rule.initial_means.sizes[near]
            self.update_lists(some[self.alive[some]])

    def rebuild_lists(self, clusters: Indices) -> None:
        """Rebuild these clusters' lists from all clusters that may still grow."""
        if self.rule.uses_means:
            self._rebuild_by_means(clusters)
            clusters = clusters[~self.certain[clusters]]
        if len(clusters):
            members = ClusterMembers(self.find(np.arange(len(self.parent))))
            for cluster in clusters.tolist():
                self._rebuild_exactly(cluster, members)
        self._choose_nearest(clusters)

    def _rebuild_by_means(self, clusters: Indices) -> None:
        long = len(clusters) * len(self.active) > _MIN_REPORTED_PAIRS
        if long:
            self.progress.start("comparing groups", len(clusters), "groups")
        mask = self.exclusions.build_tile_mask(clusters, self.active)
        on_rows = self.progress.advance if long else lambda rows: None
        found = self.engine.compare_some(self.means, clusters, self.active, self.limit, mask, on_rows)
        self._store_exact_distances(clusters, self.active, found)
        if long:
            self.report_progress()

    def _rebuild_exactly(self, cluster: int, members: ClusterMembers) -> None:
        """Rebuild one cluster's list in float64, ties by name.

        This is for clusters whose neighbours float32 cannot distinguish, and for rules that compare
        points.
        """
        lists = self.lists
        others = np.setdiff1d(
            self.active, np.append(self.exclusions.excluded_clusters(cluster), cluster), assume_unique=True
        )
        distances = self.rule.distances_from(cluster, others, members)
        order = np.lexsort((others, distances))
        order = order[: np.searchsorted(distances[order], self.limit, side="right")]
        kept = order[:LIST_LENGTH]
        lists.ids[cluster] = -1
        lists.ids[cluster, : len(kept)], lists.distances[cluster, : len(kept)] = others[kept], distances[kept]
        lists.sizes[cluster, : len(kept)] = self.means.sizes[others[kept]]
        lists.bound[cluster] = (
            np.nextafter(distances[order[LIST_LENGTH]], np.inf) if len(order) > LIST_LENGTH else np.inf
        )

    def update_lists(self, rows: Indices, others: Indices | None = None) -> None:
        """Update the lists of clusters and choose their nearest neighbours.

        `others` are the clusters that the `rows` have just absorbed, whose lists are merged in.
        """
        for first in range(_CHUNK, len(rows), _CHUNK):
            part = slice(first, first + _CHUNK)
            self.update_lists(rows[part], None if others is None else others[part])
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
            distances = self.rule.combine_entries(
                rows[owner[starts]], roots[starts], distances[order], sizes[order], starts, len(sources)
            )
        owner, roots = owner[starts], roots[starts]
        good = distances <= self.limit
        owner, roots, distances = owner[good], roots[good], distances[good]
        self._write_lists(rows, *self._truncate_lists(rows, owner, roots, distances))
        self._choose_nearest(rows)

    def _truncate_lists(
        self, rows: Indices, owner: Indices, roots: Indices, distances: Float64
    ) -> tuple[Indices, Indices, Float64]:
        """Keep the LIST_LENGTH nearest entries of each owner; entries are sorted by owner."""
        counts = np.bincount(owner, minlength=len(rows))
        if counts.max(initial=0) <= LIST_LENGTH:
            return owner, roots, distances
        order = np.lexsort((roots, distances, owner))
        owner, roots, distances = owner[order], roots[order], distances[order]
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        first_out = rank == LIST_LENGTH
        cut = rows[owner[first_out]]
        self.lists.bound[cut] = np.minimum(self.lists.bound[cut], distances[first_out])
        kept = rank < LIST_LENGTH
        return owner[kept], roots[kept], distances[kept]

    def _write_lists(self, rows: Indices, owner: Indices, roots: Indices, distances: Float64) -> None:
        counts = np.bincount(owner, minlength=len(rows))
        slot = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.lists.ids[rows] = -1
        self.lists.ids[rows[owner], slot] = roots
        self.lists.distances[rows[owner], slot] = distances
        self.lists.sizes[rows[owner], slot] = self.means.sizes[roots]

    def _choose_nearest(self, rows: Indices) -> None:
        """Choose the nearest listed neighbour that is not excluded, and remove excluded ones.

        Ties are resolved by the smaller, then the larger name of the pair.
        """
        lists = self.lists
        while len(rows):
            ids, distances = lists.ids[rows], np.where(lists.ids[rows] >= 0, lists.distances[rows], np.inf)
            best = distances.min(axis=1)
            low, high = np.minimum(ids, rows[:, None]), np.maximum(ids, rows[:, None])
            tied = (distances == best[:, None]) & (ids >= 0)
            rank = np.where(tied, low * np.int64(len(self.parent)) + high, np.iinfo(np.int64).max)
            slot = rank.argmin(axis=1)
            nearest = ids[np.arange(len(rows)), slot]
            excluded = self.exclusions.conflicts(rows, nearest)
            lists.ids[rows[excluded], slot[excluded]] = -1
            done = rows[~excluded]
            self.nearest[done], self.distance[done] = nearest[~excluded], best[~excluded]
            bound = lists.bound[done]
            self.certain[done] = (best[~excluded] < bound) | (bound == np.inf)
            rows = rows[excluded]
