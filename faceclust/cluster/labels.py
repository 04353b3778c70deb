"""Helpers for cluster labels: label linked faces and equal rows, list groups and sum them, merge points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.face_sets import FaceSets
from faceclust.types import Float32, Float64, Indices

_CHUNK = 1 << 14  # faces processed at a time, which bounds the memory


def label_linked(n: int, *links: Sequence[Indices]) -> Indices:
    """Label the connected components of n faces, given groups of linked faces.

    Returns (n,) int64: the position of each component's first face.
    """
    from scipy.sparse import coo_array  # slow to import, and most commands do not cluster
    from scipy.sparse.csgraph import connected_components

    sets = FaceSets.join(*links)
    a, b = sets.members[np.repeat(sets.starts[:-1], sets.sizes)], sets.members
    count, component = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    first = np.empty(count, np.int64)
    first[component[::-1]] = np.arange(n - 1, -1, -1)  # of several values, the last one stays
    return np.asarray(first[component])


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


def groups_of(labels: Indices) -> FaceSets:
    """Return the members of each label that occurs more than once, in ascending order."""
    order = np.argsort(labels, kind="stable")
    return FaceSets.of_runs(labels[order], order)


@dataclass(frozen=True)
class GroupSums:
    """The sums of some groups (g, d) in float64, and their `faces` (m,), one group after the other.

    `group` (m,) is the row of each face's group in `sums`; `sizes` (g,) are the numbers of faces.
    """

    faces: Indices
    group: Indices
    sizes: Indices
    sums: Float64

    def parts(self) -> Iterator[slice]:
        """Yield slices of the faces that are small enough to work on at a time."""
        return (slice(start, start + _CHUNK) for start in range(0, len(self.faces), _CHUNK))


def sum_groups(embeddings: Float32, clusters: Indices) -> Iterator[GroupSums]:
    """Yield the groups of at least two faces with their sums, as many at a time as fit into a chunk."""
    groups, first = groups_of(clusters), 0
    sizes = groups.sizes
    while first < len(groups):
        end = max(first + 1, int(np.searchsorted(groups.starts, groups.starts[first] + _CHUNK, side="right")) - 1)
        faces, some = groups.members[groups.starts[first] : groups.starts[end]], sizes[first:end]
        group, sums = np.repeat(np.arange(len(some)), some), np.zeros((1, embeddings.shape[1]))
        if len(faces) <= _CHUNK:
            sums = np.stack([np.bincount(group, column, len(some)) for column in embeddings[faces].T], axis=1)
        else:  # one group: each chunk continues the sum in order
            for start in range(0, len(faces), _CHUNK):
                rows = np.concatenate([sums, embeddings[faces[start : start + _CHUNK]]])
                sums = np.stack([np.bincount(np.zeros(len(rows), np.int64), column) for column in rows.T], axis=1)
        yield GroupSums(faces, group, some, sums)
        first = end
