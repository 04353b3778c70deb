"""Faces to groups: the algorithm by name, all faces or only the new ones, and numbers that stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.cost import describe_cost, estimate_cost
from faceclust.cluster.density import cluster_hdbscan
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.low_quality import absorb_low_quality, select_low_quality
from faceclust.cluster.numbering import NEW, Changes, compare_clusterings, earlier_groups, number_groups
from faceclust.cluster.parts import parts_of, restore_removed, without_links
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.errors import UsageError
from faceclust.progress import Progress, SilentProgress
from faceclust.types import OPERATING_POINT, Clustering, ClusterParams, FaceTable, Float32, Indices

_CHUNK = 1 << 16  # faces at a time: bounds the memory
_MIN_FACES_FOR_ESTIMATE = 20_000  # faces from which it is said beforehand what grouping will cost

_Algorithm = Callable[[Float32, ClusterParams, Constraints, Progress], Indices]


def _cluster_average(
    embeddings: Float32, params: ClusterParams, constraints: Constraints, progress: Progress
) -> Indices:
    if params.second_pass:
        return cluster_in_two_passes(embeddings, params.threshold, constraints, progress)
    return agglomerate(embeddings, params.threshold, "average", constraints, progress)


ALGORITHMS: dict[str, _Algorithm] = {
    "average": _cluster_average,
    "complete": lambda x, p, c, progress: agglomerate(x, p.threshold, "complete", c, progress),
    "single": lambda x, p, c, progress: agglomerate(x, p.threshold, "single", c, progress),
    "hdbscan": lambda x, p, c, progress: cluster_hdbscan(x, p.min_size, p.min_samples, c, progress),
}


@dataclass(frozen=True)
class Grouping:
    """What a run of `cluster` did. `changes` since the last one, None the first time. `anew`: why
    all faces were grouped; "": only `compared` new ones were, and `would_merge` groups would go
    into others if all were."""

    clustering: Clustering
    changes: Changes | None
    full_reason: str
    compared: int
    would_merge: int


def group_faces(
    faces: FaceTable,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    *,
    history: Sequence[Clustering] = (),
    models: str = "",
    full: bool = False,
) -> Grouping:
    """Group faces by person.

    `history`: clusterings before this, the last one first, whose group numbers are kept. Where
    the last was made by the same parameters and models, its groups are kept as well and only
    faces new since are looked at, unless they are most of the library, or `anew` asks for all.
    Only average linkage can go on from there. Raises UsageError for an unknown algorithm or a
    senseless number.
    """
    check_params(params)
    earlier = history[0] if history else None
    known = earlier_groups(faces.face_ids, earlier, parts=True)
    reason = _reason_for_full_run(earlier, params, models, known, asked=full)
    made = _compute_partition(
        faces, params, constraints, progress or SilentProgress(), np.full_like(known, NEW) if reason else known
    )
    runs = [earlier_groups(faces.face_ids, run) for run in history]
    taken = max((run.highest_number for run in history), default=0)
    labels = number_groups(made.clusters, params.min_size, runs, taken, constraints.anchors)
    clustering = Clustering(
        face_ids=faces.face_ids,
        labels=labels,
        strength=membership_strength(faces.embeddings, made.clusters),
        parts=number_groups(made.parts, 2),
        params=params,
        models=models,
        size_at_full_run=earlier.size_at_full_run if earlier is not None and not reason else len(faces),
        highest_number=max(taken, int(labels.max(initial=0))),
    )
    changes = None if earlier is None else compare_clusterings(earlier, clustering)
    return Grouping(clustering, changes, reason, made.compared, made.would_merge)


@dataclass(frozen=True)
class Partition:
    """Clusters and parts (n,), named by a member's position; the rest as in `Grouping`."""

    clusters: Indices
    parts: Indices
    compared: int
    would_merge: int = 0


def _compute_partition(
    faces: FaceTable, params: ClusterParams, constraints: Constraints, progress: Progress, known: Indices
) -> Partition:
    """From known parts (n,), anew where all are NEW: the faces but the poor ones grouped, then these
    taken in."""
    poor = select_low_quality(faces.quality, params.min_quality, constraints)
    good = np.flatnonzero(~poor)
    make = partial(_extend_partition, known[good]) if (known != NEW).any() else _partition_from_scratch
    if not poor.any():
        return make(faces.embeddings, params, constraints, progress)
    made = make(faces.embeddings[good], params, constraints.restrict_to(good), progress)
    clusters, parts = add_low_quality(faces.embeddings, poor, made.clusters, made.parts, known, params, constraints)
    compared = made.compared + int(np.count_nonzero(poor & (known == NEW)))
    return Partition(clusters, parts, compared, made.would_merge)


def add_low_quality(
    embeddings: Float32,
    low_quality: NDArray[np.bool_],
    good_clusters: Indices,
    good_parts: Indices,
    known: Indices,
    params: ClusterParams,
    constraints: Constraints,
) -> tuple[Indices, Indices]:
    """Clusters and parts (n,) of all faces, from those of the ones that are not `poor` (n,), which are
    named by a position among these alone; `known` (n,): the parts of an earlier run."""
    good = np.flatnonzero(~low_quality)
    clusters, parts = np.arange(len(low_quality)), np.arange(len(low_quality))
    clusters[good], parts[good] = good[good_clusters], good[good_parts]
    loosely = params.algorithm == "average" and params.second_pass
    return absorb_low_quality(
        embeddings, low_quality, clusters, parts, known, params.threshold, constraints, subtract_scatter=loosely
    )


def _partition_from_scratch(
    embeddings: Float32, params: ClusterParams, constraints: Constraints, progress: Progress
) -> Partition:
    if len(embeddings) >= _MIN_FACES_FOR_ESTIMATE:
        progress.note(describe_cost(estimate_cost(*embeddings.shape), len(embeddings)))
    algorithm = ALGORITHMS[params.algorithm]
    if params.algorithm != "average":
        clusters = algorithm(embeddings, params, constraints, progress)
        return Partition(clusters, clusters, len(embeddings))
    alike = algorithm(embeddings, params, without_links(constraints, len(embeddings)), progress)
    made = apply_links(alike, embeddings, params, constraints, progress)
    return Partition(made.clusters, made.parts, len(embeddings))


def apply_links(
    unlinked: Indices,
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
) -> Partition:
    """Clusters made by average linkage and likeness alone, `alike` (n,), joined by the links."""
    return _extend_partition(
        number_groups(unlinked, 2).astype(np.int64), embeddings, params, constraints, progress or SilentProgress()
    )


def _extend_partition(
    known: Indices, embeddings: Float32, params: ClusterParams, constraints: Constraints, progress: Progress
) -> Partition:
    """From known parts (n,): join them by the links, and find a place for new faces."""

    def group(some: Float32, limits: Constraints) -> Indices:
        return ALGORITHMS[params.algorithm](some, params, limits, SilentProgress())

    extended = extend_groups(embeddings, known, params.threshold, constraints, group, progress)
    parts = parts_of(embeddings, extended.clusters, constraints, np.where(extended.new, NEW, known))
    parts = restore_removed(parts, known, extended.new)
    return Partition(extended.clusters, parts, int(extended.new.sum()), extended.would_merge)


def _reason_for_full_run(
    earlier: Clustering | None, params: ClusterParams, models: str, known: Indices, *, asked: bool
) -> str:
    """Why all faces are to be grouped; "": they are not."""
    if earlier is None:
        return "there is no grouping yet"
    if asked:
        return "--full"
    if earlier.models != models:
        return "the models are others"
    if earlier.params.algorithm != params.algorithm:
        return f"the algorithm was {earlier.params.algorithm}"
    if earlier.params.threshold != params.threshold:
        return f"the threshold was {earlier.params.threshold:g}"
    if earlier.params != params:
        return "other choices than last time"
    if params.algorithm != "average":
        return f"{params.algorithm} always does"
    if 2 * np.count_nonzero(known == NEW) > len(known):
        return "more faces are new than not"
    return ""


def check_params(params: ClusterParams) -> None:
    """Raises UsageError for an unknown algorithm or a senseless number."""
    if params.algorithm not in ALGORITHMS:
        raise UsageError(f"no algorithm {params.algorithm!r}", hint=f"choose one of {', '.join(ALGORITHMS)}")
    if not 0 < params.threshold <= 1000:
        raise UsageError(
            f"threshold must be above 0 and at most 1000, not {params.threshold:g}",
            hint=f"the default is {OPERATING_POINT}",
        )
    for name, value in (("min-size", params.min_size), ("min-samples", params.min_samples)):
        if value < 1:
            raise UsageError(f"{name} {value} is not at least 1")
    if not 0 <= params.min_quality <= 1:
        raise UsageError(f"quality {params.min_quality:g} is not between 0 and 1", hint="0 leaves no face out")


def membership_strength(embeddings: Float32, clusters: Indices) -> Float32:
    """1 − (mean squared L2 to the cluster's other faces) / (mean squared L2 of two faces that
    have nothing in common), in 0..1; 0 for a face alone. Two unlike faces of norm r are 2r² apart."""
    _, group, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(group, column, len(sizes)) for column in embeddings.T], axis=1)
    squares = np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64)
    squares_of = np.bincount(group, squares, len(sizes))
    strength = np.zeros(len(embeddings))
    for start in range(0, len(embeddings), _CHUNK):
        part = slice(start, start + _CHUNK)
        own, others = embeddings[part].astype(np.float64), sizes[group[part]] - 1
        products = np.einsum("ij,ij->i", own, sums[group[part]] - own)
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = squares_of[group[part]] - squares[part] - 2 * products
            distance = squares[part] + rest / others
            strength[part] = np.where(others > 0, 1 - distance / (2 * squares[part]), 0.0)
    return np.clip(strength, 0, 1).astype(np.float32)
