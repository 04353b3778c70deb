"""Parts: the groups without the user's links.

Faces are clustered by their embeddings first; then must-links join the resulting parts into
groups. If links came first, two linked faces of one person as a child and as an adult would have a
centre far from all other faces of that person. Besides, when a wrong name is taken back, the parts
that it joined must separate again. So the parts are stored with a clustering, and joined in each run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints, collapse_linked
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import groups_of, label_linked, merge_points
from faceclust.types import Float32, Indices


@dataclass(frozen=True)
class Partition:
    """Each face's cluster and part, (n,) int64, named by a member's position.

    `compared` is the number of faces compared with all others. `would_merge` is the number of
    groups that clustering from scratch would merge into others.
    """

    clusters: Indices
    parts: Indices
    compared: int = 0
    would_merge: int = 0


def without_links(constraints: Constraints, n: int) -> Constraints:
    """Return the constraints for forming parts: no must-links, and no exclusions between linked faces."""
    linked = label_linked(n, constraints.must_link)
    return Constraints((), collapse_linked(constraints.exclusions, linked))


def parts_of(embeddings: Float32, clusters: Indices, constraints: Constraints, known: Indices) -> Indices:
    """Split clusters into parts: (n,) int64, named by a member's position.

    A part is a whole cluster unless must-links join several parts in it. `known` (n,) holds parts
    that stay, below 0 for faces without one. Of the latter, a linked face becomes a part of its own,
    and any other joins the nearest part. Together, links and parts must connect the whole cluster.
    """
    parts = clusters.copy()
    link_of = label_linked(len(clusters), constraints.must_link)
    linked = np.bincount(link_of, minlength=len(clusters))[link_of] > 1
    joined = np.flatnonzero(np.isin(clusters, clusters[linked]))
    for members in map(joined.take, groups_of(clusters[joined])):
        own = np.where(known[members] >= 0, known[members], -1 - members)
        own = np.unique(own, return_inverse=True)[1].astype(np.int64)
        settled = (known[members] >= 0) | linked[members]
        own = _assign_to_nearest(embeddings[members], own, np.isin(own, own[settled]))
        if len(np.unique(label_linked(len(members), groups_of(own), groups_of(link_of[members])))) == 1:
            _, first, inverse = np.unique(own, return_index=True, return_inverse=True)
            parts[members] = members[first[inverse]]
    return parts


def restore_removed(parts: Indices, known: Indices, new: NDArray[np.bool_]) -> Indices:
    """Return the parts with faces that a constraint removed counted to their `known` part again.

    They return to it when the constraint is taken back. `new` (n,) marks these faces and new ones.
    """
    stayed = np.flatnonzero(~new & (known >= 0))
    _, first = np.unique(known[stayed], return_index=True)
    representative = stayed[first]  # one face that stayed, for each part
    removed = np.flatnonzero(new & np.isin(known, known[representative]))
    parts = parts.copy()
    parts[removed] = parts[representative[np.searchsorted(known[representative], known[removed])]]
    return parts


def _assign_to_nearest(embeddings: Float32, parts: Indices, settled: NDArray[np.bool_]) -> Indices:
    """Move the faces of parts that are not `settled` to the nearest settled part."""
    if settled.all():
        return parts
    points = ClusterMeans(embeddings)
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    means = merge_points(ClusterMeans(embeddings), first[inverse])
    names = np.unique(first[inverse][settled])
    loose = np.flatnonzero(~settled)
    targets, probes = means.targets(names), points.probes(loose)
    out = first[inverse]
    out[loose] = names[(probes @ targets.T).argmin(axis=1)]
    return np.asarray(out)
