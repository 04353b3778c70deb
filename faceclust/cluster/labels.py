"""Clusters as labels: from links, to the members of each, to means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceclust.cluster.distances import ClusterMeans
from faceclust.types import Indices


def label_linked(n: int, links: Sequence[Indices]) -> Indices:
    """Clusters, named by their smallest member's position, of n faces linked in groups."""
    from scipy.sparse import coo_array  # slow to import, and most commands group nothing
    from scipy.sparse.csgraph import connected_components

    a = np.concatenate([np.empty(0, np.int64), *[np.repeat(group[:1], len(group)) for group in links]])
    b = np.concatenate([np.empty(0, np.int64), *links])
    component = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[1]
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def merge_points(points: ClusterMeans, clusters: Indices) -> ClusterMeans:
    """Points as clusters, in place; `clusters` (n,): names, each a member's position."""
    for group in groups_of(clusters):
        points.merge_group(group)
    return points


def groups_of(labels: Indices) -> list[Indices]:
    """The members of each label that has several, rising."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [part for part in parts if len(part) > 1]
