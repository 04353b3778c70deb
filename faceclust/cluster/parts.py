"""What groups are made of, apart from what the user linked.

Faces are grouped by likeness first; links then join such parts to groups. Two pictures of
somebody as a child and as an adult, linked beforehand, would make a centre that neither's
other pictures are near. And a name given by mistake has to let go of what it brought together
when it is taken back: so the parts are kept with a clustering, and joined anew each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints, collapse_linked
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.labels import groups_of, label_linked, merge_points
from faceclust.types import Float32, Indices


def without_links(constraints: Constraints, n: int) -> Constraints:
    """The constraints that parts are made under: no links, and exclusions as far as they are not
    between faces told to be one."""
    told = label_linked(n, constraints.must_link)
    return Constraints((), collapse_linked(constraints.exclusions, told))


def parts_of(embeddings: Float32, clusters: Indices, constraints: Constraints, known: Indices) -> Indices:
    """Each face's part, (n,) int64, named by a member's position: its cluster, save in clusters
    that must-links join of several parts.

    `known` (n,): parts that stay, below 0 where there is none: a face that is linked is then a
    part of its own, others go with the nearest. Links and parts together make up the clusters.
    """
    parts = clusters.copy()
    link_of = label_linked(len(clusters), constraints.must_link)
    linked = np.bincount(link_of, minlength=len(clusters))[link_of] > 1
    for name in np.unique(clusters[linked]).tolist():
        members = np.flatnonzero(clusters == name)
        own = np.where(known[members] >= 0, known[members], -1 - members)
        own = np.unique(own, return_inverse=True)[1].astype(np.int64)
        sure = (known[members] >= 0) | linked[members]
        own = _assign_to_nearest(embeddings[members], own, np.isin(own, own[sure]))
        chains = [*groups_of(own), *groups_of(link_of[members])]
        if len(np.unique(label_linked(len(members), chains))) == 1:
            _, first, inverse = np.unique(own, return_index=True, return_inverse=True)
            parts[members] = members[first[inverse]]
    return parts


def restore_removed(parts: Indices, known: Indices, new: NDArray[np.bool_]) -> Indices:
    """The parts, with faces that had to be taken out of their `known` part still counted to it:
    that is where they go when the constraint is taken back. `new` (n,): they, and new ones."""
    stayed = np.flatnonzero(~new & (known >= 0))
    _, first = np.unique(known[stayed], return_index=True)
    home = stayed[first]  # a face that stayed, for each part
    out = np.flatnonzero(new & np.isin(known, known[home]))
    parts = parts.copy()
    parts[out] = parts[home[np.searchsorted(known[home], known[out])]]
    return parts


def _assign_to_nearest(embeddings: Float32, parts: Indices, settled: NDArray[np.bool_]) -> Indices:
    """The parts, those not settled gone: their faces are with the nearest part that is."""
    if settled.all():
        return parts
    points = ClusterMeans(embeddings)
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    means = merge_points(ClusterMeans(embeddings), first[inverse])
    names = np.unique(first[inverse][settled])
    loose = np.flatnonzero(~settled)
    means_of, points_of = means.targets(names), points.probes(loose)
    out = first[inverse]
    out[loose] = names[(points_of @ means_of.T).argmin(axis=1)]
    return np.asarray(out)
