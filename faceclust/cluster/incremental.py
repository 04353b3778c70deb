"""Add new faces to the groups of an earlier run.

Earlier groups take in new faces, but neither split nor merge with each other. A face that was alone
may join a group only if a new face is within the threshold of it. So a new photo changes the group
of a face only within the threshold of one of its own faces, and only new faces are compared with
all others (m × N distances).

The result can differ from clustering from scratch. Two groups just above the threshold may come
within it as both grow. An early group may be a mistake that more faces would have prevented. The
only state needed for this are the groups and their `parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.constraints import Constraints, find_contradictions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.face_sets import FaceSets
from faceclust.cluster.labels import groups_of, label_linked, merge_points
from faceclust.cluster.numbering import NEW
from faceclust.cluster.two_passes import subtract_scatter
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, Float64, Indices

#: An earlier group is clustered again if a new face is within this factor of the threshold. The margin has to
#: exceed the allowance for the scatter of the group that the face may end up in.
_REACH_FACTOR = 1.25


@dataclass(frozen=True)
class ExtendedClusters:
    """The result of `extend_groups`.

    `clusters` (n,) int64 are named by a member's position. `new` (n,) marks the faces that were
    compared with all others. `would_merge` is the number of groups near new faces that would merge
    into others if earlier groups were free to.
    """

    clusters: Indices
    new: NDArray[np.bool_]
    would_merge: int


def extend_groups(
    embeddings: Float32,
    earlier: Indices,
    threshold: float,
    constraints: Constraints,
    cluster_faces: Callable[[Indices, Constraints], Indices],
    progress: Progress | None = None,
    offsets: Float64 | None = None,
) -> ExtendedClusters:
    """Cluster new faces, among themselves and with the groups of an earlier run.

    `earlier` (n,) int64 is each face's earlier group without must-links (or ALONE, NEW of
    `numbering`). `cluster_faces` clusters the faces at some positions under constraints, at `threshold`.
    If an earlier group now violates a constraint, faces are removed from it and count as new.
    Must-links join earlier groups. `offsets` (n,) are added to each squared L2: one for each of the two
    faces.
    """
    clusters, new = _restore_earlier_clusters(earlier, constraints)
    if not new.any():
        return ExtendedClusters(clusters, new, 0)
    near = _clusters_near_new_faces(
        embeddings, clusters, np.flatnonzero(new), threshold, progress or SilentProgress(), offsets
    )
    subset = np.flatnonzero(near[clusters])
    seeds = groups_of(clusters[subset])
    exclusions = constraints.restrict_to(subset).exclusions
    grouped = (earlier >= 0) & ~new
    kept = np.array([faces[0] for faces in seeds if grouped[subset[faces]].any()], dtype=np.int64)
    found = cluster_faces(subset, Constraints(seeds, FaceSets.join(exclusions, [kept])))
    unrestricted = cluster_faces(subset, Constraints(seeds, exclusions)) if len(kept) > 1 else found
    clusters[subset] = subset[found]
    return ExtendedClusters(clusters, new, max(0, len(np.unique(found)) - len(np.unique(unrestricted))))


def _restore_earlier_clusters(earlier: Indices, constraints: Constraints) -> tuple[Indices, NDArray[np.bool_]]:
    """Return the earlier groups, joined by must-links, and which faces count as new.

    Clusters are named by their first member's position. Faces count as new if they are, or if a
    constraint removes them from their group.
    """
    n = len(earlier)
    new = earlier == NEW
    linked = label_linked(n, constraints.must_link)
    link_sizes = np.bincount(linked, minlength=n)[linked]
    while True:
        kept = np.where((earlier >= 0) & ~new, earlier, NEW - 1 - np.arange(n))
        clusters = label_linked(n, groups_of(kept), constraints.must_link)
        conflicting = [
            _faces_to_remove(faces, link_sizes[faces] == 1, kept, clusters)
            for faces in find_contradictions(clusters, linked, constraints.exclusions)
        ]
        removed = np.concatenate([np.empty(0, np.int64), *conflicting])
        removed = removed[kept[removed] >= 0]
        if not len(removed):
            return clusters, new
        new[removed] = True


def _faces_to_remove(faces: Indices, unlinked: NDArray[np.bool_], kept: Indices, clusters: Indices) -> Indices:
    """Return the faces to remove from their groups, given faces of one cluster that exclude each other.

    These are the faces without a must-link, if that resolves the contradiction; otherwise the whole cluster.
    """
    if (unlinked.any() and not unlinked.all()) or (unlinked.any() and len(np.unique(kept[faces])) > 1):
        return faces[unlinked]
    return np.flatnonzero(clusters == clusters[faces[0]])


def _clusters_near_new_faces(
    embeddings: Float32,
    clusters: Indices,
    new: Indices,
    threshold: float,
    progress: Progress,
    offsets: Float64 | None,
) -> NDArray[np.bool_]:
    """Return which clusters, by name, a new face may change, (n,).

    These are its own cluster, single faces within the threshold of it, and groups within
    _REACH_FACTOR of the threshold.
    """
    points = ClusterMeans(embeddings, subtract_scatter(embeddings, clusters, offsets))
    probes = points.probes(new)
    means = merge_points(points, clusters)
    names = np.unique(clusters)
    far, near_limit = (means.shift_limit(limit) for limit in (_REACH_FACTOR * threshold, threshold))
    reach = np.where(means.sizes[names] > 1, far, near_limit).astype(np.float32)
    limits = np.full(len(new), reach.max(initial=0), np.float32)
    near = np.zeros(len(embeddings), np.bool_)
    near[clusters[new]] = True
    progress.start("comparing new faces", len(new), "faces")
    pairs = find_near_pairs(lambda rows: probes[rows], means.targets(names), limits, on_rows=progress.advance)
    for _, columns, values in pairs:
        near[names[columns[values <= reach[columns]]]] = True
    progress.finish()
    return near
