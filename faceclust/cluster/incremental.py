"""New faces into groups that are already there.

The groups of an earlier run are kept as they are: they take in new faces, but neither split nor
merge with one another, and a face that was alone may join a group only if a new face is within
the threshold of it. So adding a photo changes the group of no face that is not within the
threshold of a new one, and only new faces are compared with all others (m × N distances).

The price: the outcome can differ from grouping everything anew. Two groups that were just above
the threshold may come within it as both grow, and an early group may have been a mistake that
more faces would have avoided. Nothing needs to be kept for this beside the groups and
what they are made of (`parts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.constraints import Constraints, find_contradictions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import groups_of, label_linked, merge_points
from faceclust.cluster.numbering import NEW
from faceclust.progress import Progress, SilentProgress
from faceclust.types import SCATTER_SHARE, Float32, Indices

#: How much farther than the threshold a new face may be from a group that is looked at again:
#: more than the allowance for the scatter of the group it may end up in.
_REACH_FACTOR = 1.25


@dataclass(frozen=True)
class ExtendedClusters:
    """`clusters` (n,): each face's cluster, named by a member's position. `new` (n,): which
    faces were compared with all others. `would_merge`: how many groups beside new faces would
    go into others if earlier groups were free to."""

    clusters: Indices
    new: NDArray[np.bool_]
    would_merge: int


def extend_groups(
    embeddings: Float32,
    earlier: Indices,
    threshold: float,
    constraints: Constraints,
    cluster_faces: Callable[[Float32, Constraints], Indices],
    progress: Progress | None = None,
) -> ExtendedClusters:
    """Group new faces with each other and into groups of an earlier run.

    `earlier` (n,) int64: each face's group then, apart from must-links (or ALONE, NEW of
    `numbering`). `group` makes clusters of some faces under constraints, with `threshold`. Where
    an earlier group now breaks a constraint, faces are taken out of it, and count as new.
    Must-linked faces bring their groups together.
    """
    clusters, new = _restore_earlier_clusters(earlier, constraints)
    if not new.any():
        return ExtendedClusters(clusters, new, 0)
    near = _clusters_near_new_faces(embeddings, clusters, np.flatnonzero(new), threshold, progress or SilentProgress())
    subset = np.flatnonzero(near[clusters])
    seeds = groups_of(clusters[subset])
    exclusions = constraints.restrict_to(subset).exclusions
    standing = (earlier >= 0) & ~new
    kept = np.array([faces[0] for faces in seeds if standing[subset[faces]].any()], dtype=np.int64)
    found = cluster_faces(embeddings[subset], Constraints(seeds, [*exclusions, kept]))
    freely = cluster_faces(embeddings[subset], Constraints(seeds, exclusions)) if len(kept) > 1 else found
    clusters[subset] = subset[found]
    return ExtendedClusters(clusters, new, max(0, len(np.unique(found)) - len(np.unique(freely))))


def _restore_earlier_clusters(earlier: Indices, constraints: Constraints) -> tuple[Indices, NDArray[np.bool_]]:
    """Earlier groups as clusters, named by their smallest member's position, joined where faces
    are must-linked; and which faces count as new: those that are, and those that had to be
    taken out of a group."""
    n = len(earlier)
    new = earlier == NEW
    told = label_linked(n, constraints.must_link)
    told_with = np.bincount(told, minlength=n)[told]
    while True:
        kept = np.where((earlier >= 0) & ~new, earlier, NEW - 1 - np.arange(n))
        clusters = label_linked(n, [*groups_of(kept), *constraints.must_link])
        out = [
            _faces_to_remove(faces, told_with[faces] == 1, kept, clusters)
            for faces in find_contradictions(clusters, told, constraints.exclusions)
        ]
        freed = np.concatenate([np.empty(0, np.int64), *out])
        freed = freed[kept[freed] >= 0]
        if not len(freed):
            return clusters, new
        new[freed] = True


def _faces_to_remove(faces: Indices, untold: NDArray[np.bool_], kept: Indices, clusters: Indices) -> Indices:
    """Which faces to take out of their groups when these exclude each other. Those of which nothing
    was told, where that settles it; where a group is in itself of two minds, all of it."""
    if (untold.any() and not untold.all()) or (untold.any() and len(np.unique(kept[faces])) > 1):
        return faces[untold]
    return np.flatnonzero(clusters == clusters[faces[0]])


def _clusters_near_new_faces(
    embeddings: Float32, clusters: Indices, new: Indices, threshold: float, progress: Progress
) -> NDArray[np.bool_]:
    """By name, the clusters that a new face may change: its own, single faces within the threshold
    of it, groups not much farther off than that."""
    points = ClusterMeans(embeddings)
    probes = points.probes(new)
    means = merge_points(points, clusters)
    means.square_sums -= SCATTER_SHARE * means.scatter() * means.sizes
    names = np.unique(clusters)
    reach = np.where(means.sizes[names] > 1, _REACH_FACTOR * threshold, threshold).astype(np.float32)
    limits = np.full(len(new), reach.max(initial=0), np.float32)
    near = np.zeros(len(embeddings), np.bool_)
    near[clusters[new]] = True
    progress.start("comparing new faces", len(new), "faces")
    pairs = find_near_pairs(lambda rows: probes[rows], means.targets(names), limits, on_rows=progress.advance)
    for _, columns, values in pairs:
        near[names[columns[values <= reach[columns]]]] = True
    progress.finish()
    return near
