"""Exact average linkage (UPGMA) over squared L2, cut at a threshold, in O(n·d) memory.

Average linkage is reducible (Bruynooghe 1977): merging two clusters brings neither nearer to
a third than the nearer of them was. So pairs that are each other's nearest neighbour may be
merged in any order, many in a round, with the same outcome; and a cluster whose neighbours
are all beyond the threshold is finished for good. Cannot-links keep this true, for a merge
only ever adds to what a cluster may not meet.

A cluster's nearest neighbour comes from a short list: where the best one listed is nearer
than the list's bound, it is certainly the nearest. Where merges have worn a list down so
that this no longer holds, the list is made anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.distances import ClusterMeans, Indices
from faceclust.cluster.neighbours import LENGTH, NeighbourLists, refresh, refresh_exactly
from faceclust.progress import Progress, Silent
from faceclust.types import Float32


def average_linkage(
    embeddings: Float32, threshold: float, constraints: Constraints | None = None, progress: Progress | None = None
) -> Indices:
    """Each face's cluster, named by its smallest member's position, (n,) int64.

    The clusters are those of SciPy's `linkage(method="average")` on squared Euclidean
    distances cut at `threshold` (merged while the distance is ≤ it), as long as no
    constraint changes them. Must-linked faces start as one cluster.
    """
    return _Agglomeration(embeddings, threshold, constraints or Constraints(), progress or Silent()).run()


def seeded_clusters(n: int, must_link: Sequence[Indices]) -> Indices:
    """The clusters n faces start in: each its own, must-linked ones by their first."""
    cluster_of = np.arange(n, dtype=np.int64)
    for group in must_link:
        cluster_of[group] = group.min()
    return cluster_of


class _Agglomeration:
    def __init__(self, embeddings: Float32, threshold: float, constraints: Constraints, progress: Progress) -> None:
        n = len(embeddings)
        self.threshold, self.progress = threshold, progress
        self.cluster_of = seeded_clusters(n, constraints.must_link)
        self.means = ClusterMeans(embeddings)
        for group in constraints.must_link:
            self._unite(group)
        self.exclusions = ExclusionIndex(constraints.exclusions, self.cluster_of)
        self._unite_duplicates(embeddings)
        self.live: Indices = np.unique(self.cluster_of)  # clusters that may still grow
        self.lists = NeighbourLists.empty(n)
        self.nearest = np.full(n, -1, np.int64)
        self.distance = np.full(n, np.inf)
        self.certain = np.zeros(n, np.bool_)

    def run(self) -> Indices:
        if len(self.live) < 2:
            return self.cluster_of
        self.progress.start("grouping", len(self.live))
        self._refresh(self.live)
        while True:
            self._retire()
            pairs = self._mutual_pairs()
            if len(pairs[0]):
                self._merge(*pairs)
                self.progress.advance(len(pairs[0]))
                continue
            worn = self.live[~self.certain[self.live]]
            if not len(worn):
                break
            self._refresh(worn)
        self.progress.finish()
        return self.cluster_of

    def _unite(self, group: Indices) -> None:
        first, others = int(group.min()), np.sort(group)[1:]
        for other in others.tolist():
            self.means.merge(np.array([first]), np.array([other]))
        self.cluster_of[group] = first

    def _unite_duplicates(self, embeddings: Float32) -> None:
        """Equal points merge first in any case; done beforehand, they cost no rounds."""
        single = np.flatnonzero((self.means.sizes == 1) & (self.cluster_of == np.arange(len(embeddings))))
        rows = np.ascontiguousarray(embeddings[single])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        for group in np.split(single[np.argsort(inverse, kind="stable")], np.cumsum(counts)[:-1]):
            if len(group) < 2:
                continue
            rivals = self.exclusions.rival_pairs(group)[1]
            if not np.isin(rivals, group).any():
                for other in np.sort(group)[1:].tolist():
                    self.exclusions.merge(int(group.min()), other)
                self._unite(group)

    def _refresh(self, clusters: Indices) -> None:
        arguments = self.live, self.means, self.exclusions, self.threshold
        refresh(self.lists, clusters, *arguments)
        self._choose(clusters)
        for cluster in clusters[~self.certain[clusters]].tolist():
            refresh_exactly(self.lists, cluster, *arguments)
        self._choose(clusters[~self.certain[clusters]])

    def _choose(self, clusters: Indices) -> None:
        """Each cluster's nearest listed neighbour, ties by the pair's smaller then larger id."""
        ids, distances = self.lists.ids[clusters], self.lists.distances[clusters]
        best = distances.min(axis=1, initial=np.inf)
        tied = (distances == best[:, None]) & (ids >= 0)
        own = clusters[:, None]
        low, high = np.minimum(ids, own), np.maximum(ids, own)
        rank = np.where(tied, low * len(self.cluster_of) + high, np.iinfo(np.int64).max)
        choice = rank.argmin(axis=1)
        chosen = ids[np.arange(len(clusters)), choice].astype(np.int64)
        self.nearest[clusters] = np.where(tied.any(axis=1), chosen, -1)
        self.distance[clusters] = best
        bound = self.lists.bound[clusters]
        self.certain[clusters] = (best < bound) | np.isinf(bound)

    def _retire(self) -> None:
        done = self.certain[self.live] & (self.nearest[self.live] < 0)
        self.live = self.live[~done]

    def _mutual_pairs(self) -> tuple[Indices, Indices]:
        a = self.live[self.certain[self.live]]
        b = self.nearest[a]
        mutual = (a < b) & self.certain[b] & (self.nearest[b] == a)
        if mutual.any() or not len(a) or len(a) < len(self.live):
            return a[mutual], b[mutual]
        # Ties can chase each other in a ring; the nearest pair of all is safe to merge.
        low, high = np.minimum(a, b), np.maximum(a, b)
        first = np.lexsort((high, low, self.distance[a]))[:1]
        return low[first], high[first]

    def _merge(self, into: Indices, others: Indices) -> None:
        lists, sizes = self.lists, self.means.sizes
        # A neighbour in neither list is at least as far as the mean of the two bounds.
        bounds = np.minimum(lists.bound[[into, others]], self.threshold)
        weights = sizes[[into, others]]
        complete = np.isinf(lists.bound[into]) & np.isinf(lists.bound[others])
        mean_bound = (bounds * weights).sum(axis=0) / weights.sum(axis=0) * (1 - 1e-12)
        self.means.merge(into, others)
        for a, b in zip(into.tolist(), others.tolist(), strict=True):
            self.exclusions.merge(a, b)
        renamed = np.arange(len(self.cluster_of))
        renamed[others] = into
        self.cluster_of[:] = renamed[self.cluster_of]
        merged = np.zeros(len(self.cluster_of), np.bool_)
        merged[into] = merged[others] = True
        self.live = self.live[renamed[self.live] == self.live]

        both = np.concatenate([lists.ids[into], lists.ids[others]], axis=1)
        ids, distances, dropped = self._tidy(into, both, renamed)
        lists.ids[into], lists.distances[into] = ids[:, :LENGTH], distances[:, :LENGTH]
        lists.bound[into] = np.minimum(np.where(complete, np.inf, mean_bound), dropped)

        rest = self.live[~merged[self.live]]
        listed = lists.ids[rest]
        touched = (merged[listed] & (listed >= 0)).any(axis=1)
        rest = rest[touched]
        lists.ids[rest], lists.distances[rest], _ = self._tidy(rest, listed[touched], renamed)
        self._choose(np.concatenate([into, rest]))

    def _tidy(
        self, clusters: Indices, ids: NDArray[np.int32], renamed: Indices
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Lists after a merge: new names, no name twice, no rival, none beyond the threshold,
        nearest first. Also gives the distance of the nearest one past LENGTH (inf: none)."""
        ids = np.where(ids >= 0, renamed[ids], -1)
        ids.sort(axis=1)
        twice = np.zeros(ids.shape, np.bool_)
        twice[:, 1:] = ids[:, 1:] == ids[:, :-1]
        alive = (ids >= 0) & ~twice & (ids != clusters[:, None])
        rows, columns = np.nonzero(alive)
        others = ids[rows, columns]
        distances = np.full(ids.shape, np.inf)
        distances[rows, columns] = self.means.distance(clusters[rows], others)
        if self.exclusions:
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if self.exclusions.conflict(int(clusters[row]), int(ids[row, column])):
                    distances[row, column] = np.inf
        distances[distances > self.threshold] = np.inf
        ids[np.isinf(distances)] = -1
        order = np.argsort(distances, axis=1, kind="stable")
        ids, distances = np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1)
        past = distances[:, LENGTH:].min(axis=1, initial=np.inf)
        return ids.astype(np.int32)[:, :LENGTH], distances[:, :LENGTH], past
