"""Linkage criteria: average (UPGMA), complete and single.

A rule updates a list of neighbours after merges, from the list's own entries as far as possible.
All three criteria are reducible (Bruynooghe 1977).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.distances import ClusterMeans
from faceclust.types import Float32, Float64, Indices


class ClusterMembers:
    """The points of each cluster.

    `names` are the clusters in ascending order, `order` lists the points cluster by cluster, and
    `starts` are the positions in `order` at which each cluster begins.
    """

    def __init__(self, cluster_of: Indices) -> None:
        self.order = np.argsort(cluster_of, kind="stable")
        self.names, self.starts = np.unique(cluster_of[self.order], return_index=True)

    def points_of(self, cluster: int) -> Indices:
        place = np.searchsorted(self.names, cluster)
        return np.split(self.order, self.starts[place : place + 2])[1]


class LinkageRule(Protocol):
    """The distance between clusters, which are named by a member's position."""

    means: ClusterMeans  # of the current clusters
    uses_means: bool  # whether distances follow from the clusters' means alone
    uses_part_sizes: bool  # whether `combine_entries` needs sizes
    has_offsets: bool  # whether offsets are added to the distances of points
    initial_means: ClusterMeans  # what the initial lists compare; single points for some rules

    def combine_entries(
        self,
        rows: Indices,
        others: Indices,
        distances: Float64,
        stale: NDArray[np.bool_],
        sizes: NDArray[np.int32] | None,
        starts: Indices,
        source_count: int,
    ) -> Float64:
        """Return the current distances between clusters `rows[k]` and `others[k]`.

        The list entries `starts[k]` to `starts[k + 1]` are for parts of them: `distances`, and
        `sizes` at the time these were computed. `stale[k]` is false if neither cluster has merged since.
        `source_count` is 2 if each row has just been merged from two clusters with a list each. inf
        means beyond the list's bound; a value beyond the bound need not be exact.
        """

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        """Return the bounds (m,) of merged lists from the `bounds` (2, m) of both halves."""

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        """Return the float64 distances from one cluster to `others`."""


class AverageLinkage:
    """The mean over all pairs (UPGMA), computed from sums alone."""

    uses_means = True
    uses_part_sizes = False

    def __init__(self, points: Float32, offsets: Float64 | None = None) -> None:
        self.means = self.initial_means = ClusterMeans(points, offsets)
        self.has_offsets = offsets is not None

    def combine_entries(
        self,
        rows: Indices,
        others: Indices,
        distances: Float64,
        stale: NDArray[np.bool_],
        sizes: NDArray[np.int32] | None,
        starts: Indices,
        source_count: int,
    ) -> Float64:
        out = distances[starts]
        out[stale] = self.means.pair_distances(rows[stale], others[stale])
        return out

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        # A cluster in neither list is at least at the weighted mean of the two bounds.
        mean = (np.minimum(bounds, limit) * weights).sum(axis=0) / weights.sum(axis=0) * (1 - 1e-12)
        return np.where((bounds == np.inf).all(axis=0), np.inf, mean)

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        return self.means.pair_distances(np.full(len(others), cluster), others)


class _ExtremeLinkage:
    """Common code of complete and single linkage, which compare clusters by their points."""

    uses_means = False
    uses_part_sizes = False
    uses_farthest_pair: bool

    def __init__(self, points: Float32, offsets: Float64 | None = None) -> None:
        self.means = ClusterMeans(points)
        self.initial_means = ClusterMeans(points, offsets)
        self.has_offsets = offsets is not None

    def merged_bound(self, bounds: Float64, weights: Indices, limit: float) -> Float64:
        return np.asarray(bounds.min(axis=0))

    def distances_from(self, cluster: int, others: Indices, members: ClusterMembers) -> Float64:
        extreme = np.maximum if self.uses_farthest_pair else np.minimum
        distances = extreme.reduce(self.initial_means.distances_to_all(members.points_of(cluster)), axis=0)
        reduced = extreme.reduceat(distances[members.order], members.starts)
        return np.asarray(reduced[np.searchsorted(members.names, others)])


class CompleteLinkage(_ExtremeLinkage):
    """The distance of the farthest pair (Lance and Williams 1967)."""

    uses_farthest_pair = True
    uses_part_sizes = True

    def combine_entries(
        self,
        rows: Indices,
        others: Indices,
        distances: Float64,
        stale: NDArray[np.bool_],
        sizes: NDArray[np.int32] | None,
        starts: Indices,
        source_count: int,
    ) -> Float64:
        assert sizes is not None
        # The maximum is known only if every part of the other cluster is listed.
        complete = np.add.reduceat(sizes, starts) == source_count * self.means.sizes[others]
        return np.where(complete, np.maximum.reduceat(distances, starts), np.inf)


class SingleLinkage(_ExtremeLinkage):
    """The distance of the nearest pair (Lance and Williams 1967)."""

    uses_farthest_pair = False

    def combine_entries(
        self,
        rows: Indices,
        others: Indices,
        distances: Float64,
        stale: NDArray[np.bool_],
        sizes: NDArray[np.int32] | None,
        starts: Indices,
        source_count: int,
    ) -> Float64:
        return np.asarray(np.minimum.reduceat(distances, starts))


LINKAGE_RULES: dict[str, type[AverageLinkage] | type[CompleteLinkage] | type[SingleLinkage]] = {
    "average": AverageLinkage,
    "complete": CompleteLinkage,
    "single": SingleLinkage,
}
