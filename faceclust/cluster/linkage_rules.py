"""What the distance of two clusters is: the mean, the largest or the smallest of all pairs'.

A rule tells the agglomeration how a list of neighbours is brought up to date after merges,
from its entries alone as far as that goes. All three are reducible (Bruynooghe 1977).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from faceclust.cluster.distances import ClusterMeans
from faceclust.types import Float32, Float64, Indices


class ClusterMembers:
    """The points of each cluster: `names` of clusters, rising; `order` of points, cluster by
    cluster; where each cluster `starts` in it."""

    def __init__(self, cluster_of: Indices) -> None:
        self.order = np.argsort(cluster_of, kind="stable")
        self.names, self.starts = np.unique(cluster_of[self.order], return_index=True)

    def points_of(self, cluster: int) -> Indices:
        place = np.searchsorted(self.names, cluster)
        return np.split(self.order, self.starts[place : place + 2])[1]


class LinkageRule(Protocol):
    """How clusters, named by a member's position, are compared."""

    means: ClusterMeans  # the clusters, as they are
    uses_means: bool  # whether the clusters' means are all that is compared
    has_penalties: bool  # whether distances are more than those of the points
    initial_means: ClusterMeans  # what the first lists compare: for some rules always the points

    def combine_entries(
        self, rows: Indices, others: Indices, distances: Float64, sizes: Indices, starts: Indices, source_count: int
    ) -> Float64:
        """Distances of clusters `rows[k]` and `others[k]` as they are now, from the entries
        `starts[k]` to `starts[k + 1]` for parts of them: distances and sizes when those were
        taken. `halves` is 2 where a row has just been merged from two, each with its entries.
        inf: beyond the list's bound; a value beyond the bound need not be true."""

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        """Bounds of merged lists from those of their halves, (2, m)."""

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        """Float64 distances from one cluster to `others`."""


class AverageLinkage:
    """The mean of all pairs (UPGMA), from sums of members alone."""

    uses_means = True

    def __init__(self, points: Float32, penalties: Float64 | None = None) -> None:
        self.means = self.initial_means = ClusterMeans(points, penalties)
        self.has_penalties = penalties is not None

    def combine_entries(
        self, rows: Indices, others: Indices, distances: Float64, sizes: Indices, starts: Indices, source_count: int
    ) -> Float64:
        out = distances[starts]
        stale = sizes[starts] != self.means.sizes[others]
        if source_count == 2:
            stale[:] = True
        out[stale] = self.means.pair_distances(rows[stale], others[stale])
        return out

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        # What is in neither list is at least as far as the mean of the two bounds.
        mean = (np.minimum(bounds, limit) * weights).sum(axis=0) / weights.sum(axis=0) * (1 - 1e-12)
        return np.where((bounds == np.inf).all(axis=0), np.inf, mean)

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        return self.means.pair_distances(np.full(len(others), cluster), others)


class _ExtremeLinkage:
    """What complete and single linkage share: clusters are compared by their points."""

    uses_means = False
    uses_farthest_pair: bool

    def __init__(self, points: Float32, penalties: Float64 | None = None) -> None:
        self.means = ClusterMeans(points)
        self.initial_means = ClusterMeans(points, penalties)
        self.has_penalties = penalties is not None

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        return np.asarray(bounds.min(axis=0))

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        extreme = np.maximum if self.uses_farthest_pair else np.minimum
        apart = extreme.reduce(self.initial_means.distances_to_all(members.points_of(cluster)), axis=0)
        reduced = extreme.reduceat(apart[members.order], members.starts)
        return np.asarray(reduced[np.searchsorted(members.names, others)])


class CompleteLinkage(_ExtremeLinkage):
    """The farthest pair (Lance and Williams 1967)."""

    uses_farthest_pair = True

    def combine_entries(
        self, rows: Indices, others: Indices, distances: Float64, sizes: Indices, starts: Indices, source_count: int
    ) -> Float64:
        # An entry stands for all pairs only where every part of the other cluster was listed.
        known = np.add.reduceat(sizes, starts) == source_count * self.means.sizes[others]
        return np.where(known, np.maximum.reduceat(distances, starts), np.inf)


class SingleLinkage(_ExtremeLinkage):
    """The nearest pair (Lance and Williams 1967)."""

    uses_farthest_pair = False

    def combine_entries(
        self, rows: Indices, others: Indices, distances: Float64, sizes: Indices, starts: Indices, source_count: int
    ) -> Float64:
        return np.asarray(np.minimum.reduceat(distances, starts))


LINKAGE_RULES: dict[str, type[AverageLinkage] | type[CompleteLinkage] | type[SingleLinkage]] = {
    "average": AverageLinkage,
    "complete": CompleteLinkage,
    "single": SingleLinkage,
}
