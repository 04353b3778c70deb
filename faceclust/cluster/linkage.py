"""Exact agglomerative clustering over squared L2, cut at a threshold, in O(n·d) memory.

All linkages here are reducible (Bruynooghe 1977): a merged cluster is no nearer to a third one than
the nearer of its two halves was. Three things follow. Reciprocal nearest neighbours may merge in any
order, many in one round, with the same result. A cluster's nearest neighbour stays the same until
one of the two merges. A cluster without a neighbour within the threshold is finished. Cannot-links
preserve this, because a merge can only add clusters that the merged one must not merge with.

A cluster's nearest neighbour comes from a short list of neighbours. The best entry is certainly the
nearest if it is below the list's bound. If merges have removed too many entries, the list is rebuilt.
"""

from __future__ import annotations

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.labels import groups_of, label_equal_rows
from faceclust.cluster.linkage_rules import LINKAGE_RULES
from faceclust.cluster.merge_history import MergeHistory
from faceclust.cluster.nearest_clusters import NearestClusters
from faceclust.cluster.pair_engine import PairEngine, ThreadEngine
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64, Indices

_CHUNK = 1 << 14  # points compared at a time, which bounds the memory
_MIN_ROUNDS, _CLUSTERS_PER_ROUND = 10, 5000  # rounds between two searches for stale lists


def agglomerate(
    embeddings: Float32,
    threshold: float,
    linkage: str = "average",
    constraints: Constraints | None = None,
    progress: Progress | None = None,
    offsets: Float64 | None = None,
    history: MergeHistory | None = None,
    engine: PairEngine | None = None,
) -> Indices:
    """Return each face's cluster, (n,) int64, named by its first member's position.

    Without constraints the clusters are those of SciPy's `linkage(method=linkage)` on squared
    Euclidean distances, cut at `threshold`: clusters merge while their distance is at most the
    threshold, within float64 rounding. Of equally near pairs the one with the smallest names merges
    first; in single linkage with cannot-links it may be another one. Must-linked faces start as one
    cluster. `offsets` (n,) are added to each squared distance: one for each of the two faces. `history`
    receives the merges. `engine` compares the pairs; the result does not depend on it.
    """
    rule = LINKAGE_RULES[linkage](embeddings, offsets)
    run = _Agglomeration(
        rule, threshold, constraints or Constraints(), progress or SilentProgress(), engine or ThreadEngine()
    )
    run.history = history
    clusters = run.run()
    del run.exclusions  # it refers to the run, so both would keep their memory until the next garbage collection
    return clusters


class _Agglomeration(NearestClusters):
    history: MergeHistory | None = None
    rounds_since_search = 0

    def run(self) -> Indices:
        if not self.rule.has_offsets and not (self.history is not None and self.history.rounds):
            self._merge_duplicates()
        if self.history is not None and not self.history.rounds:
            self.history.start = self.find(np.arange(len(self.parent)))
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
        """Start the progress stage of merging, or return to it."""
        self.progress.start("grouping", self.start_count)
        self.progress.advance(self.start_count - int(np.count_nonzero(self.alive)))

    def _merge_duplicates(self) -> None:
        """Merge equal points beforehand, which saves rounds: they would merge first anyway.

        If a constraint separates some of them, or a must-linked cluster at the same point, they are
        left to the rounds, which resolve the order of merges.
        """
        norms = self.means.square_sums[self.active] / self.means.sizes[self.active]
        order = np.argsort(norms, kind="stable")
        starts = np.flatnonzero(np.diff(norms[order], prepend=-1.0))  # equal points have equal norms
        counts = np.diff(np.append(starts, len(order)))
        candidates, counts = self.active[order[np.repeat(counts, counts) > 1]], counts[counts > 1]
        ends = np.cumsum(counts)
        while len(candidates):
            # Runs of equal norm, a few thousand points at a time.
            count = int(ends[min(int(np.searchsorted(ends, _CHUNK)), len(ends) - 1)])
            self._merge_equal_points(np.sort(candidates[:count]))
            candidates, ends = candidates[count:], ends[ends > count] - count
        self.active = self.active[self.alive[self.active]]

    def _merge_equal_points(self, candidates: Indices) -> None:
        points = self.means.sums(candidates) / self.means.sizes[candidates, None]
        _, label = label_equal_rows(points + 0.0)  # −0 equals 0, but not by its bytes
        for members in groups_of(label):
            equal = candidates[members]
            points = equal[self.means.sizes[equal] == 1]
            if len(points) > 1 and not self.exclusions.has_contradiction(equal):
                first, others = int(points[0]), points[1:]
                self.exclusions.merge(first, others.tolist())
                self.merge_group(points)
                self.alive[others] = False

    def _run_round(self, changed: Indices) -> Indices:
        """Merge all reciprocal nearest neighbours among the `changed` clusters.

        A merge makes the lists of other clusters stale. A stale list is updated if its cluster is nearest to
        a changed one. The others are searched for every few rounds, and when nothing else is left to do.
        If none is stale, exhausted lists are rebuilt. Returns the clusters whose lists were updated; an
        empty array means finished.
        """
        a = changed[self.certain[changed]]
        b = self.nearest[a]
        a, b = a[b >= 0], b[b >= 0]
        stale = self.is_stale(b)
        mutual = ~stale & self.certain[b] & (self.nearest[b] == a)
        pairs = np.unique(np.minimum(a, b)[mutual] * len(self.parent) + np.maximum(a, b)[mutual])
        into, others = np.divmod(pairs, len(self.parent))
        outdated = np.unique(b[stale])
        done = not len(into) and not len(outdated)
        # Each search goes through all clusters, so it has to be rarer the more there are.
        self.rounds_since_search += 1
        if done or self.rounds_since_search > _MIN_ROUNDS + len(self.active) // _CLUSTERS_PER_ROUND:
            self.rounds_since_search = 0
            # Without a neighbour within the threshold a cluster is finished, and is in no other list.
            finished = self.certain[self.active] & (self.nearest[self.active] < 0)
            self.active = self.active[self.alive[self.active] & ~finished]
            outdated = self.active[self.is_stale(self.active)]
        if done and not len(outdated):
            exhausted = self.active[~self.certain[self.active]]
            if len(exhausted):
                return self.rebuild_lists(exhausted)
            into, others = self._nearest_pair()
        if len(into):
            self._merge(into, others)
            outdated = outdated[self.merged_at[outdated] < self.clock]
        if len(outdated):
            self.update_lists(outdated)
        return np.concatenate([into, outdated])

    def _nearest_pair(self) -> tuple[Indices, Indices]:
        """Return the nearest pair of all: it may merge even if ties form a ring without reciprocal pairs."""
        a = self.active[self.nearest[self.active] >= 0]
        b = self.nearest[a]
        low, high = np.minimum(a, b), np.maximum(a, b)
        first = np.lexsort((high, low, self.distance[a]))[:1]
        return low[first], high[first]

    def _merge(self, into: Indices, others: Indices) -> None:
        lists = self.lists
        if self.history is not None:
            self.history.rounds.append((into, others, self.distance[into] + self.rule.initial_means.shift))
        pair = np.stack([into, others])
        lists.bound[into] = self.rule.merged_bound(lists.bound[pair], self.means.sizes[pair], self.limit)
        self.means.merge(into, others)
        self.exclusions.merge_pairs(into, others)
        self.parent[others] = into
        self.alive[others] = False
        self.clock += 1
        self.merged_at[pair] = self.clock
        self.update_lists(into, others)
        self.progress.advance(len(into))
