"""Low-quality faces: left out while groups are formed, then added to the finished groups.

The embedding of a blurred or occluded face describes the blur more than the person. Such faces are
near each other whoever they show, and they lie between people, so they would bridge groups.
Therefore groups are formed from the good faces alone. Each low-quality face then joins the nearest
group within the threshold. The faces left over, such as those of people without better photos,
form groups of their own at a stricter threshold.

The faces of people who are seen only briefly in a video join groups in the same way, whatever their quality. Those
left over stay alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import NearPairs, find_near_pairs
from faceclust.cluster.constraints import Constraints, ExclusionIndex
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.labels import merge_points
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.numbering import ALONE, NEW
from faceclust.cluster.parts import Partition, restore_removed
from faceclust.cluster.two_passes import subtract_scatter
from faceclust.types import ClusterParams, Float32, Float64, Indices

#: At most this share of the faces is left out, so that a library of poor photos is still clustered. The same
#: holds for a library whose quality was measured differently by an earlier version.
MAX_SHARE = 0.2
#: Low-quality faces form groups of their own at this share of the threshold. With every second photo of LFW
#: degraded, 90 % of the faces in these groups are then of one person; at the full threshold it is 80 %.
THRESHOLD_FACTOR = 0.8
_CHUNK = 1 << 17  # groups or pairs at a time, which bounds the memory


def select_low_quality(
    quality: Float32, min_quality: float, constraints: Constraints, may_start_group: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return which faces (n,) to leave out: those with a quality below `min_quality`, or that may not start a group.

    Faces in a must-link or among the anchors are never left out. If more than MAX_SHARE of all
    faces have a low quality, the worst are chosen (ties: by position). `may_start_group`: None if all may.
    """
    kept = np.zeros(len(quality), np.bool_)
    kept[constraints.must_link.members] = kept[constraints.anchors] = True
    selected = np.zeros_like(kept) if may_start_group is None else ~(kept | may_start_group)
    worst = np.flatnonzero((quality < min_quality) & ~kept & ~selected)
    worst = worst[np.argsort(quality[worst], kind="stable")][: int(MAX_SHARE * len(quality))]
    selected[worst] = True
    return selected


def absorb_low_quality(
    embeddings: Float32,
    low_quality: NDArray[np.bool_],
    good: Partition,
    known: Indices,
    params: ClusterParams,
    constraints: Constraints,
    offsets: Float64 | None = None,
    may_start_group: NDArray[np.bool_] | None = None,
) -> Partition:
    """Extend a partition of the good faces to all faces (n,).

    `low_quality` (n,) marks the faces to add, and `good` names its clusters and parts by position
    among the good faces. `known` (n,) holds each face's part in an earlier run (or ALONE, NEW of
    `numbering`).

    A low-quality face stays in its earlier part. Otherwise it joins the part with the smallest mean
    squared L2 up to the threshold, the nearest pair first (ties: by position). In two-pass average
    linkage, SCATTER_SHARE of the part's scatter is subtracted. A face that was alone joins only if a
    new face is within the threshold. No face joins a cluster that excludes it. The faces left over are
    clustered by average linkage at THRESHOLD_FACTOR of the threshold, starting from earlier parts of
    low-quality faces. Faces that may not start a group stay alone instead. `offsets` (n,) are added to each squared
    L2: one for each of the two faces.
    """
    targets = _JoinTargets(low_quality, good, constraints.exclusions)
    remaining = _rejoin_earlier_parts(targets, known)
    seen_briefly = (
        low_quality & ~may_start_group if may_start_group is not None else np.zeros(len(low_quality), np.bool_)
    )
    remaining[seen_briefly & (remaining >= 0)] = NEW  # no good face of its earlier part is left
    _join_nearest_targets(targets, embeddings, remaining, params, offsets)
    _group_remaining(targets, embeddings, remaining, seen_briefly, params.threshold, constraints, offsets)
    compared = good.compared + int(np.count_nonzero(low_quality & (known == NEW)))
    return replace(good, clusters=targets.clusters, parts=targets.parts, compared=compared)


class _JoinTargets:
    """The groups of good faces, and the low-quality faces that have joined them so far.

    A *target* is the set of good faces that share a cluster and a part, named by its first face. A
    part has several targets if a constraint took some of its faces out of its cluster. `clusters`
    and `parts` (n,) name each face's cluster and part by a member's position; a low-quality face
    that has not joined is named by itself.
    """

    def __init__(self, low_quality: NDArray[np.bool_], partition: Partition, exclusions: Sequence[Indices]) -> None:
        n = len(low_quality)
        self.low, self.good = np.flatnonzero(low_quality), np.flatnonzero(~low_quality)
        self.clusters, self.parts, self.target_of = np.arange(n), np.arange(n), np.arange(n)
        self.clusters[self.good] = self.good[partition.clusters]
        self.parts[self.good] = self.good[partition.parts]
        both = self.clusters[self.good] * n + self.parts[self.good]
        _, first, inverse = np.unique(both, return_index=True, return_inverse=True)
        self.target_of[self.good] = self.good[first[inverse]]
        self._joined = np.zeros(n, np.bool_)
        self._exclusions = ExclusionIndex(exclusions, lambda faces: self.clusters[faces], n)

    @property
    def waiting(self) -> Indices:
        """The low-quality faces that have not joined a target, in ascending order."""
        return self.low[~self._joined[self.low]]

    def join(self, face: int, target: int) -> bool:
        """Add a face to a target unless it has joined one or the cluster excludes it; return whether it joined."""
        into = self.clusters[target]
        if self._joined[face] or self._exclusions.conflicts(np.array([face]), np.array([into])).any():
            return False
        self._exclusions.merge(int(into), [face])
        self.clusters[face], self.parts[face] = into, self.parts[target]
        self._joined[face] = True
        return True

    def targets_of_parts(self, known: Indices) -> dict[int, int]:
        """Map each earlier part to the target with most of its good faces (ties: by position)."""
        kept = self.good[known[self.good] >= 0]
        pairs, counts = np.unique(np.stack([known[kept], self.target_of[kept]]), axis=1, return_counts=True)
        order = np.lexsort((-pairs[1], counts))  # ascending: the dict keeps the last and best one
        return dict(zip(pairs[0, order].tolist(), pairs[1, order].tolist(), strict=True))


def _rejoin_earlier_parts(targets: _JoinTargets, known: Indices) -> Indices:
    """Let each low-quality face join what has become of its earlier part.

    A face that its cluster now excludes keeps its part, and returns to it once the constraint is
    removed. Returns `known` with NEW for the faces whose earlier part has good faces.
    """
    remaining = known.copy()
    target_of_part = targets.targets_of_parts(known)
    for face in targets.low[known[targets.low] >= 0].tolist():
        target = target_of_part.get(int(known[face]))
        if target is not None:
            targets.join(face, target)
            targets.parts[face] = targets.parts[target]
            remaining[face] = NEW
    return remaining


def _join_nearest_targets(
    targets: _JoinTargets, embeddings: Float32, known: Indices, params: ClusterParams, offsets: Float64 | None
) -> None:
    """Let faces without an earlier part join the nearest target within the threshold."""
    faces = targets.waiting
    faces = faces[known[faces] < 0]  # an earlier part of low-quality faces alone stays together
    may_join = known[faces] != ALONE
    new = targets.good[known[targets.good] == NEW]
    may_join[~may_join] = _are_near_new_faces(
        ClusterMeans(embeddings, offsets), faces[~may_join], new, params.threshold
    )
    earlier_parts = targets.parts.copy()
    for face, target in _join_candidates(targets, embeddings, faces[may_join], params, offsets):
        if targets.join(face, target) and earlier_parts[face] != face:
            targets.parts[face] = earlier_parts[face]


def _group_remaining(
    targets: _JoinTargets,
    embeddings: Float32,
    known: Indices,
    seen_briefly: NDArray[np.bool_],
    threshold: float,
    constraints: Constraints,
    offsets: Float64 | None,
) -> None:
    """Cluster the faces that no target took, except the `seen_briefly` ones (n,), at the stricter threshold."""
    faces, threshold = targets.waiting, THRESHOLD_FACTOR * threshold
    faces = faces[~seen_briefly[faces]]
    vectors, own = embeddings[faces], None if offsets is None else offsets[faces]

    def cluster_faces(some: Indices, limits: Constraints) -> Indices:
        return agglomerate(vectors[some], threshold, "average", limits, offsets=None if own is None else own[some])

    limits = constraints.restrict_to(faces)
    found = extend_groups(vectors, known[faces], threshold, limits, cluster_faces, offsets=own)
    targets.clusters[faces] = faces[found.clusters]
    parts = faces[restore_removed(found.clusters, known[faces], found.new)]
    without_part = targets.parts[faces] == faces
    targets.parts[faces[without_part]] = parts[without_part]


def _are_near_new_faces(points: ClusterMeans, faces: Indices, new: Indices, threshold: float) -> NDArray[np.bool_]:
    limit = points.shift_limit(threshold)
    near = np.zeros(len(faces), np.bool_)
    for rows, columns, _ in _pairs_within(points, faces, new, limit):
        near[rows[points.pair_distances(faces[rows], new[columns]) <= limit]] = True
    return near


def _join_candidates(
    targets: _JoinTargets, embeddings: Float32, faces: Indices, params: ClusterParams, offsets: Float64 | None
) -> Iterator[tuple[int, int]]:
    """Yield the (face, target) pairs within the threshold, the nearest first."""
    if params.algorithm == "average" and params.second_pass:
        offsets = subtract_scatter(embeddings, targets.target_of, offsets)
    means = merge_points(ClusterMeans(embeddings, offsets), targets.target_of)
    limit = means.shift_limit(params.threshold)
    names = np.unique(targets.target_of[targets.good])
    found: list[tuple[Indices, Indices]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    near_pairs = _pairs_within(means, faces, names, limit)
    found += [(faces[rows], names[columns]) for rows, columns, _ in near_pairs]
    some, others = (np.concatenate(column) for column in zip(*found, strict=True))
    distances: Float64 = means.pair_distances(some, others)
    order = np.lexsort((others, some, distances))
    order = order[distances[order] <= limit]
    for start in range(0, len(order), _CHUNK):
        part = order[start : start + _CHUNK]
        yield from zip(some[part].tolist(), others[part].tolist(), strict=True)


def _pairs_within(points: ClusterMeans, some: Indices, others: Indices, limit: float) -> Iterator[NearPairs]:
    """Yield the pairs that may be within the limit, given the error of float32 distances."""
    probes, limits = points.probes(some), np.full(len(some), limit + 2 * points.float32_error, np.float32)
    for start in range(0, len(others) if len(some) else 0, _CHUNK):
        near_pairs = find_near_pairs(lambda rows: probes[rows], points.targets(others[start : start + _CHUNK]), limits)
        for rows, columns, values in near_pairs:
            yield rows, columns + start, values
