"""Faces of low quality: they take no part in the making of groups, then join a finished one.

The embedding of a blurred or hidden face tells more of the blur than of the person: such faces are
near to each other whoever they are, and lie between people, whose groups they would join to one. So
groups are made of the other faces alone, and a poor face joins the nearest that is within the
threshold. Those left over, among them people of whom there are no better photos, make groups of
their own, of faces that are more alike than others have to be.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import NearPairs, find_near_pairs
from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.labels import merge_points
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.numbering import ALONE, NEW
from faceclust.cluster.parts import restore_removed
from faceclust.types import SCATTER_SHARE, Float32, Float64, Indices

#: The share of faces left out at most: a library of poor photos is grouped all the same, and so is one
#: whose qualities come from an earlier version, which measured them otherwise.
MAX_SHARE = 0.2
#: The share of the threshold at which poor faces are grouped by themselves. On LFW every second photo
#: of which is spoilt, nine of ten of their groups' faces are then of one person; at 1 it is eight.
THRESHOLD_FACTOR = 0.8


def select_low_quality(quality: Float32, min_quality: float, constraints: Constraints) -> NDArray[np.bool_]:
    """Which faces (n,) are left out: those of a quality below `least`, apart from those of which is
    told who they are, or that they are one with others; of more than MOST of all faces the worst
    (ties: by position)."""
    low = quality < min_quality
    for faces in (*constraints.must_link, constraints.anchors):
        low[faces] = False
    worst = np.flatnonzero(low)
    worst = worst[np.argsort(quality[worst], kind="stable")][: int(MAX_SHARE * len(quality))]
    poor = np.zeros(len(quality), np.bool_)
    poor[worst] = True
    return poor


def absorb_low_quality(
    embeddings: Float32,
    low_quality: NDArray[np.bool_],
    clusters: Indices,
    parts: Indices,
    known: Indices,
    threshold: float,
    constraints: Constraints,
    *,
    subtract_scatter: bool,
) -> tuple[Indices, Indices]:
    """Clusters and parts (n,), both named by a member's position, with a place for poor faces.

    `clusters` and `parts` are of the others (a poor face's entry counts for nothing), `known` (n,)
    the parts of an earlier run (or ALONE, NEW of `numbering`). A poor face stays with the part it was
    in. Others join, the nearest pair first (ties: by position), the part at the least mean squared
    L2 up to `threshold`, with SHARE of the part's scatter off where `loosely`; one that was alone
    only if a new face is within the threshold of it. None joins a cluster that it is excluded from.
    Those left are grouped by average linkage at STRICTER of the threshold, from the parts of poor
    faces that there were.
    """
    faces, good = np.flatnonzero(low_quality), np.flatnonzero(~low_quality)
    clusters, parts = (
        np.where(low_quality, np.arange(len(low_quality)), clusters),
        np.where(low_quality, np.arange(len(low_quality)), parts),
    )
    if not len(faces):
        return clusters, parts
    left, known = _join_good_clusters(
        embeddings, faces, good, clusters, parts, known, threshold, constraints, subtract_scatter
    )
    some = embeddings[left]

    def group(these: Float32, limits: Constraints) -> Indices:
        return agglomerate(these, THRESHOLD_FACTOR * threshold, "average", limits)

    made = extend_groups(some, known[left], THRESHOLD_FACTOR * threshold, constraints.restrict_to(left), group)
    clusters[left] = left[made.clusters]
    apart = parts[left] == left  # the others go back to a part of good faces one day
    own = left[restore_removed(made.clusters, known[left], made.new)]
    parts[left[apart]] = own[apart]
    return clusters, parts


def _join_good_clusters(
    embeddings: Float32,
    faces: Indices,
    good: Indices,
    clusters: Indices,
    parts: Indices,
    known: Indices,
    threshold: float,
    constraints: Constraints,
    loosely: bool,
) -> tuple[Indices, Indices]:
    """Poor `faces` into the clusters and parts of good ones, changed in place. The faces left, and the
    parts (n,) known of before for these: NEW where a part's good faces may not have a face any more."""
    if not len(good):
        return faces, known
    # A part some of whose faces had to be taken out of its cluster is as many targets.
    _, first, inverse = np.unique(
        np.stack([clusters[good], parts[good]]), axis=1, return_index=True, return_inverse=True
    )
    n = len(clusters)
    target_of = np.arange(n)
    target_of[good] = good[first[inverse.ravel()]]
    exclusions = ExclusionIndex(constraints.exclusions, lambda some: clusters[some], n)
    known = known.copy()
    left = np.ones(n, np.bool_)

    def join(face: int, target: int) -> bool:
        into = clusters[target]
        if exclusions.conflicts(np.array([face]), np.array([into])).any():
            return False
        exclusions.merge(int(into), [face])
        clusters[face], parts[face] = into, parts[target]
        return True

    homes = _targets_of_earlier_parts(known, good, target_of)
    for face in faces[known[faces] >= 0].tolist():
        if (home := homes.get(int(known[face]))) is not None:
            left[face] = not join(face, home)
            parts[face] = parts[home]  # where it goes back to once what keeps it from there is gone
            known[face] = NEW
    open_to = left & (known < 0)  # a part of poor faces alone stays
    was_alone = faces[open_to[faces] & (known[faces] == ALONE)]
    open_to[was_alone] = _are_near_new_faces(embeddings, was_alone, good[known[good] == NEW], threshold)
    places = parts.copy()
    for face, target in _join_candidates(embeddings, faces[open_to[faces]], target_of, good, threshold, loosely):
        if left[face] and join(face, target):
            left[face] = False
            if places[face] != face:
                parts[face] = places[face]
    return faces[left[faces]], known


def _targets_of_earlier_parts(known: Indices, good: Indices, target_of: Indices) -> dict[int, int]:
    """For each earlier part the target that most of its good faces are in, ties by position."""
    kept = good[known[good] >= 0]
    pairs, counts = np.unique(np.stack([known[kept], target_of[kept]]), axis=1, return_counts=True)
    order = np.lexsort((-pairs[1], counts))  # the best comes last
    return dict(zip(pairs[0, order].tolist(), pairs[1, order].tolist(), strict=True))


def _are_near_new_faces(embeddings: Float32, faces: Indices, new: Indices, threshold: float) -> NDArray[np.bool_]:
    points = ClusterMeans(embeddings)
    near = np.zeros(len(faces), np.bool_)
    for rows, columns, _ in _pairs_within(points, faces, new, threshold):
        near[rows[points.pair_distances(faces[rows], new[columns]) <= threshold]] = True
    return near


def _join_candidates(
    embeddings: Float32, faces: Indices, target_of: Indices, good: Indices, threshold: float, loosely: bool
) -> list[tuple[int, int]]:
    """(face, target) pairs within the threshold, the nearest first."""
    means = merge_points(ClusterMeans(embeddings), target_of)
    if loosely:
        means.square_sums -= SCATTER_SHARE * means.scatter() * means.sizes
    targets = np.unique(target_of[good])
    found: list[tuple[Indices, Indices]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    found += [(faces[rows], targets[columns]) for rows, columns, _ in _pairs_within(means, faces, targets, threshold)]
    some, others = (np.concatenate(column) for column in zip(*found, strict=True))
    distances: Float64 = means.pair_distances(some, others)
    order = np.lexsort((others, some, distances))
    order = order[distances[order] <= threshold]
    return list(zip(some[order].tolist(), others[order].tolist(), strict=True))


def _pairs_within(points: ClusterMeans, some: Indices, others: Indices, threshold: float) -> Iterator[NearPairs]:
    """Pairs that may be within the threshold, from rounded distances."""
    if not len(some) or not len(others):
        return iter(())
    probes, limit = points.probes(some), np.float32(threshold + 2 * points.float32_error)
    return find_near_pairs(lambda rows: probes[rows], points.targets(others), np.full(len(some), limit, np.float32))
