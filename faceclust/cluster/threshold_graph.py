"""Complete and single linkage from the pairs within the threshold alone.

Complete linkage joins two clusters only where all their pairs are within the threshold,
single linkage where one is; so no farther pair is ever needed. All edges are held in
memory: n is bounded by how many pairs lie within the threshold, not by n².
"""

from __future__ import annotations

import heapq

import numpy as np

from faceclust.cluster.average import seeded_clusters
from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.distances import ClusterMeans, Float64, Indices
from faceclust.errors import UsageError
from faceclust.types import Float32

MAX_EDGES = 4_000_000  # at some 400 bytes each


def complete_linkage(embeddings: Float32, threshold: float, constraints: Constraints | None = None) -> Indices:
    """As `average_linkage`, with the distance of two clusters that of their farthest pair."""
    return _agglomerate(embeddings, threshold, constraints or Constraints(), farthest=True)


def single_linkage(embeddings: Float32, threshold: float, constraints: Constraints | None = None) -> Indices:
    """As `average_linkage`, with the distance of two clusters that of their nearest pair."""
    return _agglomerate(embeddings, threshold, constraints or Constraints(), farthest=False)


def edges_within(embeddings: Float32, threshold: float) -> tuple[Indices, Indices, Float64]:
    """All pairs i < j at squared L2 ≤ threshold: i, j, distance (float64)."""
    points = ClusterMeans(embeddings)
    everyone = np.arange(len(embeddings), dtype=np.int64)
    parts, total = [(everyone[:0], everyone[:0])], 0
    for rows, columns, tile in points.tiles(everyone, everyone):
        i, j = np.nonzero(tile <= threshold + points.rounding)
        i, j = i + rows.start, j + columns.start
        upper = i < j
        parts.append((i[upper], j[upper]))
        total += int(upper.sum())
        if total > MAX_EDGES:
            raise UsageError(
                f"more than {MAX_EDGES:,} pairs of faces lie within {threshold:g}",
                hint="choose a lower --threshold, or --algorithm average, which needs no list of pairs",
            )
    i, j = (np.concatenate(ends) for ends in zip(*parts, strict=True))
    distance = points.distance(i, j)
    near = distance <= threshold
    return i[near], j[near], distance[near]


def _agglomerate(embeddings: Float32, threshold: float, constraints: Constraints, *, farthest: bool) -> Indices:
    """Merge the nearest pair of clusters, ties by the smaller then larger id, until none is
    left within the threshold; distances to a merged cluster by Lance and Williams (1967)."""
    cluster_of = seeded_clusters(len(embeddings), constraints.must_link)
    neighbours = _cluster_edges(cluster_of, edges_within(embeddings, threshold), farthest=farthest)
    exclusions = ExclusionIndex(constraints.exclusions, cluster_of)
    waiting = [(d, a, b) for a, near in neighbours.items() for b, d in near.items() if a < b]
    heapq.heapify(waiting)
    parent = np.arange(len(embeddings))
    while waiting:
        distance, a, b = heapq.heappop(waiting)
        if neighbours.get(a, {}).get(b) != distance:
            continue  # one of the two has merged since, or moved
        if exclusions.conflict(a, b):
            del neighbours[a][b], neighbours[b][a]
            continue
        exclusions.merge(a, b)
        parent[b] = a
        near_a, near_b = neighbours.pop(a), neighbours.pop(b)
        near_a.pop(b), near_b.pop(a)
        merged = _joined(near_a, near_b, farthest=farthest)
        for other in near_a.keys() | near_b.keys():
            neighbours[other].pop(a, None)
            neighbours[other].pop(b, None)
        neighbours[a] = merged
        for other, d in merged.items():
            neighbours[other][a] = d
            heapq.heappush(waiting, (d, min(a, other), max(a, other)))
    while (parent[parent] != parent).any():
        parent = parent[parent]
    return np.asarray(parent[cluster_of], dtype=np.int64)


def _joined(near_a: dict[int, float], near_b: dict[int, float], *, farthest: bool) -> dict[int, float]:
    if farthest:
        return {other: max(d, near_b[other]) for other, d in near_a.items() if other in near_b}
    return {other: min(near_a.get(other, np.inf), near_b.get(other, np.inf)) for other in near_a.keys() | near_b.keys()}


def _cluster_edges(
    cluster_of: Indices, edges: tuple[Indices, Indices, Float64], *, farthest: bool
) -> dict[int, dict[int, float]]:
    """Edges between points as edges between the clusters they start in."""
    i, j, distance = edges
    a, b = cluster_of[i], cluster_of[j]
    neighbours: dict[int, dict[int, float]] = {}
    sizes = np.bincount(cluster_of, minlength=len(cluster_of))
    pairs: dict[tuple[int, int], list[float]] = {}
    for low, high, d in zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), distance.tolist(), strict=True):
        if low != high:
            pairs.setdefault((low, high), []).append(d)
    for (low, high), found in pairs.items():
        if farthest and len(found) < sizes[low] * sizes[high]:
            continue  # some pair of the two is beyond the threshold
        d = max(found) if farthest else min(found)
        neighbours.setdefault(low, {})[high] = d
        neighbours.setdefault(high, {})[low] = d
    return neighbours
