"""New faces into groups that are already there.

The groups of an earlier run are kept as they are: they take in new faces, but neither split nor
merge with one another, and a face that was alone may join a group only if a new face is within
the threshold of it. So adding a photo changes the group of no face that is not within the
threshold of a new one, and only new faces are compared with all others (m × N distances).

The price: the outcome can differ from grouping everything anew. Two groups that were just above
the threshold may come within it as both grow, and an early group may have been a mistake that
more faces would have avoided. Nothing needs to be kept for this beside the groups themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints, contradicted, joined
from faceclust.cluster.distances import ClusterMeans, Indices
from faceclust.cluster.numbering import NEW
from faceclust.cluster.tiles import near_pairs
from faceclust.cluster.two_passes import SHARE, groups_of, united
from faceclust.progress import Progress, Silent
from faceclust.types import Float32

#: How much farther than the threshold a new face may be from a group that is looked at again:
#: more than the allowance for the scatter of the group it may end up in.
_REACH = 1.25


@dataclass(frozen=True)
class Extended:
    """`clusters` (n,): each face's cluster, named by a member's position. `compared`: how many
    faces were compared with all others. `would_merge`: how many groups beside new faces would
    go into others if earlier groups were free to."""

    clusters: Indices
    compared: int
    would_merge: int


def extend_groups(
    embeddings: Float32,
    earlier: Indices,
    threshold: float,
    constraints: Constraints,
    group: Callable[[Float32, Constraints], Indices],
    progress: Progress | None = None,
) -> Extended:
    """Group new faces with each other and into groups of an earlier run.

    `earlier` (n,) int64: each face's group then (or ALONE, NEW of `numbering`). `group` makes
    clusters of some faces under constraints, with `threshold`. An earlier group that now breaks
    a constraint is taken apart, and its faces count as new. Must-linked faces bring their
    groups together.
    """
    clusters, new = _standing(earlier, constraints)
    if not new.any():
        return Extended(clusters, 0, 0)
    near = _near(embeddings, clusters, np.flatnonzero(new), threshold, progress or Silent())
    subset = np.flatnonzero(near[clusters])
    seeds = groups_of(clusters[subset])
    exclusions = constraints.within(subset).exclusions
    kept = np.array([faces[0] for faces in seeds if not new[subset[faces]].any()], dtype=np.int64)
    found = group(embeddings[subset], Constraints(seeds, [*exclusions, kept]))
    freely = group(embeddings[subset], Constraints(seeds, exclusions))
    clusters[subset] = subset[found]
    return Extended(clusters, int(new.sum()), max(0, len(np.unique(found)) - len(np.unique(freely))))


def _standing(earlier: Indices, constraints: Constraints) -> tuple[Indices, NDArray[np.bool_]]:
    """Earlier groups as clusters, named by their smallest member's position, joined where faces
    are must-linked; and which faces count as new."""
    n = len(earlier)
    new = earlier == NEW
    told = joined(n, constraints.must_link)
    while True:
        kept = np.where((earlier >= 0) & ~new, earlier, NEW - 1 - np.arange(n))
        clusters = joined(n, [*groups_of(kept), *constraints.must_link])
        broken = np.isin(clusters, contradicted(clusters, told, constraints.exclusions)) & (earlier >= 0) & ~new
        if not broken.any():
            # A must-link that changes something is news for the faces it joins.
            for faces in constraints.must_link:
                if len(np.unique(kept[faces])) > 1:
                    new[faces[kept[faces] < 0]] = True
            return clusters, new
        new |= broken


def _near(
    embeddings: Float32, clusters: Indices, new: Indices, threshold: float, progress: Progress
) -> NDArray[np.bool_]:
    """By name, the clusters that a new face may change: its own, single faces within the threshold
    of it, groups not much farther off than that."""
    points = ClusterMeans(embeddings)
    probes = points.probes(new)
    means = united(points, clusters)
    means.square_sums -= SHARE * means.scatter() * means.sizes
    names = np.unique(clusters)
    reach = np.where(means.sizes[names] > 1, _REACH * threshold, threshold).astype(np.float32)
    limits = np.full(len(new), reach.max(initial=0), np.float32)
    near = np.zeros(len(embeddings), np.bool_)
    near[clusters[new]] = True
    progress.start("comparing new faces", len(new), "faces")
    pairs = near_pairs(lambda rows: probes[rows], means.targets(names), limits, on_rows=progress.advance)
    for _, columns, values in pairs:
        near[names[columns[values <= reach[columns]]]] = True
    progress.finish()
    return near
