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
_MIN_REBUILT = 256  # lists rebuilt at a time, because each time has a fixed cost
_REBUILT_SHARE = 0.1  # lists whose best entries differ by this share of the limit are rebuilt together


class NearestClusters:
    """The clusters, their lists of neighbours, and each one's nearest neighbour if that is certain.

    A list is updated if its cluster has merged, or if its nearest neighbour has merged and the list is
    needed. Until then its entries keep the names of the clusters they were computed for.
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
            if len(group) > 1:
                self.merge_group(group)
        self.exclusions = ExclusionIndex(constraints.exclusions, self.find, n)
        self.alive = self.parent == np.arange(n)
        self.active: Indices = np.flatnonzero(self.alive)  # clusters that may still grow, and some merged ones
        self.lists = NeighbourLists.unknown(n, with_sizes=rule.uses_part_sizes)
        self.nearest = np.full(n, -1, np.int64)
        self.distance = np.full(n, np.inf)
        self.certain = np.zeros(n, np.bool_)
        self.clock = 0  # rounds of merges so far
        self.merged_at = np.zeros(n, np.int32)  # when a cluster merged last
        self.updated_at = np.zeros(n, np.int32)  # when its list was updated last

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

    def is_stale(self, clusters: Indices) -> NDArray[np.bool_]:
        """Return which clusters' nearest neighbours have merged since their lists were updated."""
        nearest = self.nearest[clusters]
        return (nearest >= 0) & (self.merged_at[nearest] > self.updated_at[clusters])

    def build_lists(self) -> None:
        """Build the lists of all clusters in one pass over half of all pairs."""
        # Rules that compare points need lists of points to start with, not of clusters.
        start = self.active if self.rule.uses_means else np.arange(len(self.parent))
        self.progress.start("comparing faces", len(start), "faces")
        on_rows = triangle_progress(self.progress.advance, len(start))
        listed, bound = _candidates(
            self.engine.compare_all(self.rule.initial_means, start, self.limit, on_rows), np.inf
        )
        self.progress.finish()
        self.lists.bound[start] = bound
        for first in range(0, len(start), _CHUNK):
            some = start[first : first + _CHUNK]
            row, slot = np.nonzero(listed[first : first + _CHUNK] >= 0)
            near, row_ids = start[listed[first + row, slot]], some[row]
            distances = self.rule.initial_means.pair_distances(row_ids, near)
            good = (distances <= self.limit) & (near != row_ids)
            row_ids, slot, near = row_ids[good], slot[good], near[good]
            self.lists.ids[row_ids, slot] = near
            self.lists.distances[row_ids, slot] = distances[good]
            if self.lists.sizes is not None:
                self.lists.sizes[row_ids, slot] = self.rule.initial_means.sizes[near]
            self.update_lists(some[self.alive[some]])
        if not self.rule.uses_means:
            seeded = self.active[self.means.sizes[self.active] > 1]
            self.lists.ids[seeded], self.lists.bound[seeded] = -1, -np.inf
            self._choose_nearest(seeded)

    def rebuild_lists(self, clusters: Indices) -> Indices:
        """Rebuild those of these clusters' lists with the nearest best entries; return their clusters."""
        if self.rule.uses_means:
            clusters = rebuilt = self._rebuild_by_means(clusters)
            clusters = clusters[~self.certain[clusters]]
        else:
            rebuilt = clusters
        if len(clusters):
            members = ClusterMembers(self.find(np.arange(len(self.parent))))
            for cluster in clusters.tolist():
                self._rebuild_exactly(cluster, members)
        self._choose_nearest(clusters)
        self.certain[clusters] = True  # even if an entry at the same distance was left out
        return rebuilt

    def _rebuild_by_means(self, clusters: Indices) -> Indices:
        """Rebuild lists up to a limit beyond their best entries.

        Of the clusters that a cluster does not list, those whose own bound is above the limit either list the
        cluster or are farther from it than the limit. So only the others are compared.
        """
        best = np.minimum(self.distance[clusters], self.limit)
        few = np.partition(best, _MIN_REBUILT)[_MIN_REBUILT] if len(best) > _MIN_REBUILT else np.inf
        limit = min(max(few, best.min() + _REBUILT_SHARE * self.limit), self.limit)
        clusters = clusters[best <= limit]
        columns = self.active[self.lists.bound[self.active] <= limit]
        long = len(clusters) * len(columns) > _MIN_REPORTED_PAIRS
        if long:
            self.progress.start("comparing groups", len(clusters), "groups")
        mask = self.exclusions.build_tile_mask(clusters, columns)
        on_rows = self.progress.advance if long else lambda rows: None
        listed, bound = _candidates(
            self.engine.compare_some(self.means, clusters, columns, limit, mask, on_rows),
            np.inf if limit == self.limit else np.nextafter(limit, np.inf),
        )
        row, slot = np.nonzero(listed >= 0)
        pairs = [(row, columns[listed[row, slot]]), self._listed_by_others(clusters, limit)]
        row, slot = np.nonzero(self.lists.ids[clusters] >= 0)
        pairs.append((row, self.find(self.lists.ids[clusters[row], slot])))
        row, near = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        kept = near != clusters[row]
        row, near = np.divmod(np.unique(row[kept] * len(self.parent) + near[kept]), len(self.parent))
        distances = self.means.pair_distances(clusters[row], near)
        good = distances <= self.limit
        self.lists.bound[clusters] = np.maximum(self.lists.bound[clusters], bound)
        self._write_lists(clusters, *self._truncate_lists(clusters, row[good], near[good], distances[good]))
        self._choose_nearest(clusters)
        if long:
            self.report_progress()
        return clusters

    def _listed_by_others(self, clusters: Indices, limit: float) -> tuple[Indices, Indices]:
        """Return positions in `clusters`, ascending, and the clusters that list them up to the limit.

        Only clusters with a bound above the limit are considered.
        """
        others = self.active[(self.lists.bound[self.active] > limit) & (self.distance[self.active] <= limit)]
        owner, slot = np.nonzero((self.lists.ids[others] >= 0) & (self.lists.distances[others] <= limit))
        listed = self.find(self.lists.ids[others[owner], slot])
        place = np.minimum(np.searchsorted(clusters, listed), len(clusters) - 1)
        hit = clusters[place] == listed
        return place[hit], others[owner[hit]]

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
        if lists.sizes is not None:
            lists.sizes[cluster, : len(kept)] = self.means.sizes[others[kept]]
        self.updated_at[cluster] = self.clock
        lists.bound[cluster] = distances[order[LIST_LENGTH]] if len(order) > LIST_LENGTH else np.inf

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
        roots = self.find(ids[owner, slot])
        kept = roots != rows[owner]
        if self.lists.sizes is None:
            sizes = None
        else:
            sizes = np.concatenate([self.lists.sizes[source] for source in sources], axis=1)[owner, slot][kept]
        owner, roots, distances = owner[kept], roots[kept], distances[kept]
        order = np.argsort(owner * len(self.parent) + roots)
        owner, roots = owner[order], roots[order]
        starts = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(roots, prepend=-1) != 0))
        owner, roots = owner[starts], roots[starts]
        if len(starts):
            stale = np.ones(len(starts), np.bool_)
            if others is None:
                stale = self.merged_at[roots] > self.updated_at[rows[owner]]
            part_sizes = None if sizes is None else sizes[order]
            distances = self.rule.combine_entries(
                rows[owner], roots, distances[order], stale, part_sizes, starts, len(sources)
            )
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
        if self.lists.sizes is not None:
            self.lists.sizes[rows[owner], slot] = self.means.sizes[roots]
        self.updated_at[rows] = self.clock

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


def _candidates(found: Comparison, bound: float) -> tuple[NDArray[np.int32], Float64]:
    """Return the columns found for each row, and a lower bound of what was left out: `bound` if a row is not full."""
    best = found.nearest
    # A pair that was left out is no nearer than the farthest kept one, up to rounding.
    left_out = best.limits.astype(np.float64) - 2 * found.error
    return best.columns, np.where(best.full_rows, np.minimum(left_out, bound), bound)
