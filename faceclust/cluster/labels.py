"""Helpers for cluster labels: label linked faces and equal rows, list groups, merge points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.distances import ClusterMeans
from faceclust.types import Indices


def label_linked(n: int, links: Sequence[Indices]) -> Indices:
    """Label the connected components of n faces, given groups of linked faces.

    Returns (n,) int64: the position of each component's first face.
    """
    from scipy.sparse import coo_array  # slow to import, and most commands do not cluster
    from scipy.sparse.csgraph import connected_components

    a = np.concatenate([np.empty(0, np.int64), *[np.repeat(group[:1], len(group)) for group in links]])
    b = np.concatenate([np.empty(0, np.int64), *links])
    component = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[1]
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def label_equal_rows(rows: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Label rows (n, d) by their bytes.

    Returns the first row of each distinct value (k,), and each row's label (n,) from 0 to k − 1.
    """
    rows = np.ascontiguousarray(rows)
    keys = rows.view(np.dtype((np.void, max(1, rows.dtype.itemsize * rows.shape[1])))).ravel()
    _, first, label = np.unique(keys, return_index=True, return_inverse=True)
    return first, label


def resolve_roots(parent: Indices) -> Indices:
    """Return the root of each node (n,) of a forest, given each node's parent. A root is its own parent."""
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent = above


def merge_points(points: ClusterMeans, clusters: Indices) -> ClusterMeans:
    """Merge points into clusters in place. `clusters` (n,) names each point's cluster by a member's position."""
    for group in groups_of(clusters):
        points.merge_group(group)
    return points


def groups_of(labels: Indices) -> list[Indices]:
    """Return the members of each label that occurs more than once, in ascending order."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [part for part in parts if len(part) > 1]
