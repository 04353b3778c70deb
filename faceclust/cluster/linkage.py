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

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.linkage_rules import LINKAGE_RULES
from faceclust.cluster.nearest_clusters import NearestClusters
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64, Indices


def agglomerate(
    embeddings: Float32,
    threshold: float,
    linkage: str = "average",
    constraints: Constraints | None = None,
    progress: Progress | None = None,
    penalties: Float64 | None = None,
) -> Indices:
    """Each face's cluster, named by its smallest member's position, (n,) int64.

    The clusters are those of SciPy's `linkage(method=linkage)` on squared Euclidean distances
    cut at `threshold` (merged while the distance is ≤ it, within float64 rounding), as long as
    no constraint changes them; of equally near pairs the one whose clusters have the smallest
    names comes first, as long as no constraint is in the way. Must-linked faces start as one
    cluster. `penalties` (n,), none below 0, are added to every squared distance for each of the
    two faces.
    """
    rule = LINKAGE_RULES[linkage](embeddings, penalties)
    return _Agglomeration(rule, threshold, constraints or Constraints(), progress or SilentProgress()).run()


class _Agglomeration(NearestClusters):
    def run(self) -> Indices:
        if not self.rule.has_penalties:
            self._merge_duplicates()
        if len(self.active) > 1:
            self.build_lists()
            self.start_count = len(self.active)
            self.report_progress()
            changed = self.active
            while len(changed):
                changed = self._run_round(changed)
            self.progress.finish()
        return self.find(np.arange(len(self.parent)))

    def report_progress(self) -> None:
        """Begin the stage of merging, or go back to it."""
        self.progress.start("grouping", self.start_count)
        self.progress.advance(self.start_count - int(np.count_nonzero(self.alive)))

    def _merge_duplicates(self) -> None:
        """Equal points merge first in any case; done beforehand, they cost no rounds. Where some of
        them, or a must-linked cluster at their place, may not meet, the rounds settle who does."""
        _, inverse, counts = np.unique(
            self.means.square_sums[self.active] / self.means.sizes[self.active],
            return_inverse=True,
            return_counts=True,
        )
        alike = self.active[counts[inverse] > 1]  # equal points have equal norms
        rows = np.ascontiguousarray(self.means.sums[alike] / self.means.sizes[alike, None])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        several = np.flatnonzero(counts[inverse] > 1)
        several = several[np.argsort(inverse[several], kind="stable")]
        for place in np.split(alike[several], np.flatnonzero(np.diff(inverse[several])) + 1):
            group = place[self.means.sizes[place] == 1]
            if len(group) > 1 and not self.exclusions.has_contradiction(place):
                self.exclusions.merge(int(group.min()), group[group != group.min()].tolist())
                self.merge_group(group)
                self.alive[group[group != group.min()]] = False
        self.active = self.active[self.alive[self.active]]

    def _run_round(self, changed: Indices) -> Indices:
        """Merge what may be merged; else make worn lists anew. Gives the clusters whose nearest
        neighbour was looked for again; none: all is done."""
        into, others = self._mutual_pairs(changed)
        if not len(into):
            # Whoever has nobody within the threshold is finished, and nobody has them.
            finished = self.certain[self.active] & (self.nearest[self.active] < 0)
            self.active = self.active[self.alive[self.active] & ~finished]
            worn = self.active[~self.certain[self.active]]
            if len(worn):
                self.rebuild_lists(worn)
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
        a = self.active[self.nearest[self.active] >= 0]
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
        nearest = self.nearest[self.active]
        lost = self.active[gone[nearest] & (nearest >= 0)]
        lost = lost[self.alive[lost] & ~gone[lost]]
        if np.count_nonzero(self.alive[self.active]) < 0.9 * len(self.active):
            self.active = self.active[self.alive[self.active]]
        self.update_lists(into, others)
        self.update_lists(lost)
        self.progress.advance(len(into))
        return np.concatenate([into, lost])
