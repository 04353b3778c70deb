"""Average linkage in two passes; the second one compensates for the scatter of each group.

The mean squared distance between two groups is that of their centres plus the scatter of both:
d²(A, B) = |μ_A − μ_B|² + S_A + S_B, where S is the mean squared distance from the centre. The faces
of a person who looks different from photo to photo have a large scatter, so average linkage leaves
them in several groups. The second pass subtracts half of the scatter, which is halfway between
average linkage (all of it counts) and centroid linkage (none of it does). Each group keeps the
scatter of the first pass as a fixed allowance, so the second pass is exact average linkage too.
"""

from __future__ import annotations

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import groups_of, merge_points
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.pair_engine import PairEngine
from faceclust.progress import Progress
from faceclust.types import SCATTER_SHARE, Float32, Float64, Indices


def cluster_in_two_passes(
    embeddings: Float32,
    threshold: float,
    constraints: Constraints,
    progress: Progress | None = None,
    offsets: Float64 | None = None,
    engine: PairEngine | None = None,
) -> Indices:
    """Cluster by average linkage cut at `threshold`, then once more with less scatter.

    The second pass joins the clusters of the first by average linkage over the squared L2 minus
    SCATTER_SHARE of both clusters' scatter, cut at the same threshold. `offsets` (n,) are added to each
    squared L2: one for each of the two faces. Returns each face's cluster, (n,) int64, named by its
    first member's position.
    """
    first = agglomerate(embeddings, threshold, "average", constraints, progress, offsets, engine=engine)
    return run_second_pass(embeddings, first, threshold, constraints, progress, offsets, engine)


def run_second_pass(
    embeddings: Float32,
    first: Indices,
    threshold: float,
    constraints: Constraints,
    progress: Progress | None = None,
    offsets: Float64 | None = None,
    engine: PairEngine | None = None,
) -> Indices:
    """Run the second pass alone. `first` (n,) are the clusters of the first pass, named by a member's position."""
    reduced = subtract_scatter(embeddings, first, offsets)
    linked = Constraints(groups_of(first), constraints.exclusions)
    return agglomerate(embeddings, threshold, "average", linked, progress, reduced, engine=engine)


def subtract_scatter(embeddings: Float32, clusters: Indices, offsets: Float64 | None = None) -> Float64:
    """Return the `offsets` (n,) minus SCATTER_SHARE of the scatter of each face's cluster, float64 (n,)."""
    allowance = SCATTER_SHARE * scatter_of_clusters(embeddings, clusters)
    return -allowance if offsets is None else offsets - allowance


def scatter_of_clusters(embeddings: Float32, clusters: Indices) -> Float64:
    """Return the scatter of each face's cluster, (n,) float64: the mean squared L2 of its faces from
    their mean, 0 for a face alone. `clusters` (n,) are named by a member's position."""
    means = merge_points(ClusterMeans(embeddings), clusters)
    return means.scatter()[clusters]
