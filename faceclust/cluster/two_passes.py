"""Average linkage, and once more with allowance for how loose each group has turned out.

The mean squared distance of two groups is that of their centres plus the scatter of both:
d²(A, B) = |μ_A − μ_B|² + S_A + S_B, with S the mean squared distance from the centre. So a person
who looks different from photo to photo, and whose faces make a loose group, finds its other
groups too far away, while the error in a centre falls with every face. The second pass takes
half of the scatter off, midway between average linkage (all of it counts) and centroid linkage
(none does). Each group's allowance stays what the first pass left, so that the second is
average linkage again, and as exact.
"""

from __future__ import annotations

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import groups_of, merge_points
from faceclust.cluster.linkage import agglomerate
from faceclust.progress import Progress
from faceclust.types import SCATTER_SHARE, Float32, Float64, Indices


def cluster_in_two_passes(
    embeddings: Float32, threshold: float, constraints: Constraints, progress: Progress | None = None
) -> Indices:
    """Each face's cluster, named by its smallest member's position, (n,) int64: average linkage
    cut at `threshold`, then average linkage of those clusters over the squared L2 less SHARE of
    the two clusters' scatter, cut there again."""
    first = agglomerate(embeddings, threshold, "average", constraints, progress)
    return run_second_pass(embeddings, first, threshold, constraints, progress)


def run_second_pass(
    embeddings: Float32, first: Indices, threshold: float, constraints: Constraints, progress: Progress | None = None
) -> Indices:
    """The second of the two passes alone; `first` (n,): the clusters of the first, each named by a
    member's position."""
    allowance = SCATTER_SHARE * scatter_of_clusters(embeddings, first)
    most = float(allowance.max(initial=0.0))
    # Less an allowance is as good as plus a penalty and a higher threshold.
    linked = Constraints(groups_of(first), constraints.exclusions)
    return agglomerate(embeddings, threshold + 2 * most, "average", linked, progress, most - allowance)


def scatter_of_clusters(embeddings: Float32, clusters: Indices) -> Float64:
    """For each face the mean squared L2 of its cluster's faces from their mean, (n,) float64; 0
    for a face alone. `clusters` (n,): names, each a member's position."""
    means = merge_points(ClusterMeans(embeddings), clusters)
    return means.scatter()[clusters]
