"""Group faces by person: choose the algorithm, cluster all faces or only new ones, and number the groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.cost import describe_cost, estimate_cost
from faceclust.cluster.density import cluster_hdbscan
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.labels import sum_groups
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.local_scaling import LocalScaling, Surroundings
from faceclust.cluster.low_quality import absorb_low_quality, select_low_quality
from faceclust.cluster.numbering import NEW, Changes, compare_clusterings, earlier_groups, find_sorted, number_groups
from faceclust.cluster.pair_engine import PairEngine, ThreadEngine
from faceclust.cluster.parts import Partition, parts_of, restore_removed, without_links
from faceclust.cluster.three_passes import cluster_in_three_passes
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.errors import UsageError
from faceclust.progress import Progress, SilentProgress
from faceclust.types import (
    LOCAL_SCALING,
    MAX_LOCAL_SCALING,
    OPERATING_POINT,
    Clustering,
    ClusterParams,
    FaceTable,
    Float32,
    Float64,
    Indices,
)

_MIN_FACES_FOR_ESTIMATE = 20_000  # from here on the estimated cost is reported beforehand

_Algorithm = Callable[[Float32, ClusterParams, Constraints, Progress, PairEngine | None], Indices]


#: Copies rows of a matrix (n, d), given their positions.
Gather = Callable[[Float32, Indices], Float32]


def _take_rows(matrix: Float32, rows: Indices) -> Float32:
    return matrix[rows]


def cluster_average(
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress,
    offsets: Float64 | None = None,
) -> Indices:
    """Cluster some faces of a library by average linkage; `offsets` (n,) are those of local scaling."""
    if params.second_pass:
        return cluster_in_two_passes(embeddings, params.threshold, constraints, progress, offsets)
    return agglomerate(embeddings, params.threshold, "average", constraints, progress, offsets)


ALGORITHMS: dict[str, _Algorithm] = {
    "average": lambda x, p, c, progress, engine: cluster_in_three_passes(x, p, c, progress, engine)[0],
    "complete": lambda x, p, c, progress, engine: agglomerate(x, p.threshold, "complete", c, progress, engine=engine),
    "single": lambda x, p, c, progress, engine: agglomerate(x, p.threshold, "single", c, progress, engine=engine),
    "hdbscan": lambda x, p, c, progress, engine: cluster_hdbscan(x, p.min_size, p.min_samples, c, progress),
}


@dataclass(frozen=True)
class Grouping:
    """The result of a clustering run.

    `changes` are those since the last run, None for the first one. `full_reason` says why all faces
    were clustered; "" if only `compared` new ones were. In that case `would_merge` is the number of
    groups that clustering from scratch would merge into others.
    """

    clustering: Clustering
    changes: Changes | None
    full_reason: str
    compared: int
    would_merge: int

    @property
    def sizes(self) -> list[int]:
        """The number of faces of each group, in descending order."""
        labels = self.clustering.labels
        return sorted(np.unique(labels[labels >= 0], return_counts=True)[1].tolist(), reverse=True)


def group_faces(
    faces: FaceTable,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    *,
    history: Sequence[Clustering] = (),
    models: str = "",
    full: bool = False,
    engine: PairEngine | None = None,
    gather: Gather = _take_rows,
) -> Grouping:
    """Group faces by person.

    `history` holds earlier clusterings, the last one first, whose group numbers are kept. If the
    last one has the same parameters and models, its groups are kept too and only new faces are
    clustered, unless they are most of the library or `full` is set. Only average linkage supports
    this. `engine` compares the pairs when all faces are clustered, and `gather` copies rows of the
    embeddings; the result does not depend on them.
    Raises UsageError if the algorithm is unknown or a parameter is out of range.
    """
    check_params(params)
    earlier = history[0] if history else None
    known = earlier_groups(faces.face_ids, earlier, parts=True)
    reason = _reason_for_full_run(earlier, params, models, known, requested=full)
    if reason:
        known = np.full_like(known, NEW)
    progress = progress or SilentProgress()
    partition, scaling = _compute_partition(faces, params, constraints, progress, known, earlier, engine, gather)
    runs = [earlier_groups(faces.face_ids, run) for run in history]
    highest = max((run.highest_number for run in history), default=0)
    labels = number_groups(partition.clusters, params.min_size, runs, highest, constraints.anchors)
    clustering = Clustering(
        face_ids=faces.face_ids,
        labels=labels,
        strength=membership_strength(faces.embeddings, partition.clusters),
        parts=number_groups(partition.parts, 2),
        crowding=scaling.crowding,
        unscaled_groups=scaling.groups.astype(np.int32),
        median_crowding=scaling.median,
        params=params,
        models=models,
        size_at_full_run=earlier.size_at_full_run if earlier is not None and not reason else len(faces),
        highest_number=max(highest, int(labels.max(initial=0))),
    )
    changes = None if earlier is None else compare_clusterings(earlier, clustering)
    return Grouping(clustering, changes, reason, partition.compared, partition.would_merge)


def _compute_partition(
    faces: FaceTable,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress,
    known: Indices,
    earlier: Clustering | None,
    engine: PairEngine | None,
    gather: Gather,
) -> tuple[Partition, LocalScaling]:
    """Cluster the good faces, then add the low-quality ones.

    `known` (n,) holds the parts in the `earlier` run, which new faces are added to. If all are NEW, this
    is clustering from scratch.
    """
    low_quality = select_low_quality(faces.quality, params.min_quality, constraints, faces.may_start_group)
    good = np.flatnonzero(~low_quality)
    all_good = len(good) == len(faces)
    embeddings = faces.embeddings if all_good else gather(faces.embeddings, good)
    limits = constraints if all_good else constraints.restrict_to(good)
    if earlier is not None and (known != NEW).any():
        scaling = _carry_over_scaling(faces, known, earlier)
        found = _extend_partition(known[good], embeddings, params, limits, progress, scaling.offsets_of(good))
    else:
        found, surroundings = _partition_from_scratch(embeddings, params, limits, progress, engine)
        scaling = LocalScaling.measure(faces.embeddings, good, surroundings, params)
        if limits.must_link and params.algorithm == "average":
            found = apply_links(found.clusters, embeddings, params, limits, progress, scaling.offsets_of(good))
            found = replace(found, compared=len(good))
    if not all_good:
        found = absorb_low_quality(
            faces.embeddings,
            low_quality,
            found,
            known,
            params,
            constraints,
            scaling.offsets,
            faces.may_start_group,
        )
    return found, scaling


def _partition_from_scratch(
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress,
    engine: PairEngine | None,
) -> tuple[Partition, Surroundings | None]:
    """Cluster faces. Average linkage leaves out the must-links, and returns what crowding is measured against."""
    runs_in_threads = engine is None or isinstance(engine, ThreadEngine)  # what the estimate is for
    if runs_in_threads and len(embeddings) >= _MIN_FACES_FOR_ESTIMATE:
        progress.note(describe_cost(estimate_cost(*embeddings.shape), len(embeddings)))
    surroundings = None
    if params.algorithm == "average":
        unlinked = without_links(constraints, len(embeddings))
        clusters, surroundings = cluster_in_three_passes(embeddings, params, unlinked, progress, engine)
    else:
        clusters = ALGORITHMS[params.algorithm](embeddings, params, constraints, progress, engine)
    return Partition(clusters, clusters, len(embeddings)), surroundings


def _carry_over_scaling(faces: FaceTable, known: Indices, earlier: Clustering) -> LocalScaling:
    """Return the scaling of an earlier run; new faces are measured against its groups."""
    params, crowding, groups = earlier.params, np.zeros(len(faces), np.float32), np.full(len(faces), -1)
    if params.local_scaling:
        place = find_sorted(faces.face_ids, earlier.face_ids)
        present = place >= 0
        crowding[place[present]] = earlier.crowding[present]
        groups[place[present]] = earlier.unscaled_groups[present]
        new, grouped = np.flatnonzero(known == NEW), np.flatnonzero(groups >= 0)
        surroundings = Surroundings(faces.embeddings[grouped], groups[grouped])
        crowding[new] = surroundings.crowding_of(faces.embeddings[new], params.threshold)
    return LocalScaling(crowding, groups, earlier.median_crowding, params, is_on=params.local_scaling > 0)


def apply_links(
    unlinked: Indices,
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    offsets: Float64 | None = None,
) -> Partition:
    """Join clusters that were made without links, `unlinked` (n,), by the must-links."""
    known = number_groups(unlinked, 2).astype(np.int64)
    return _extend_partition(known, embeddings, params, constraints, progress or SilentProgress(), offsets)


def _extend_partition(
    known: Indices,
    embeddings: Float32,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress,
    offsets: Float64 | None,
) -> Partition:
    """Join the known parts (n,) by the must-links, and add the new faces."""

    def cluster_faces(some: Indices, limits: Constraints) -> Indices:
        own = None if offsets is None else offsets[some]
        return cluster_average(embeddings[some], params, limits, SilentProgress(), own)

    extended = extend_groups(embeddings, known, params.threshold, constraints, cluster_faces, progress, offsets)
    parts = parts_of(embeddings, extended.clusters, constraints, np.where(extended.new, NEW, known))
    parts = restore_removed(parts, known, extended.new)
    return Partition(extended.clusters, parts, int(extended.new.sum()), extended.would_merge)


def _reason_for_full_run(
    earlier: Clustering | None, params: ClusterParams, models: str, known: Indices, *, requested: bool
) -> str:
    """Return why all faces have to be clustered; "" if only the new ones have to."""
    if earlier is None:
        return "there is no earlier grouping"
    if requested:
        return "--full"
    if earlier.models != models:
        return "the models have changed"
    if earlier.params.algorithm != params.algorithm:
        return f"the algorithm was {earlier.params.algorithm}"
    if earlier.params.threshold != params.threshold:
        return f"the threshold was {earlier.params.threshold:g}"
    if earlier.params.local_scaling != params.local_scaling:
        return f"local scaling was {earlier.params.local_scaling:g}"
    if earlier.params != params:
        return "the options have changed"
    if params.algorithm != "average":
        return f"{params.algorithm} always groups all faces"
    if 2 * np.count_nonzero(known == NEW) > len(known):
        return "more than half of the faces are new"
    return ""


def check_params(params: ClusterParams) -> None:
    """Raise UsageError if the algorithm is unknown or a parameter is out of range."""
    if params.algorithm not in ALGORITHMS:
        raise UsageError(f"unknown algorithm {params.algorithm!r}", hint=f"choose one of {', '.join(ALGORITHMS)}")
    if not 0 < params.threshold <= 1000:
        raise UsageError(
            f"threshold must be above 0 and at most 1000, not {params.threshold:g}",
            hint=f"the default is {OPERATING_POINT}",
        )
    for name, value in (("min-size", params.min_size), ("min-samples", params.min_samples)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    if not 0 <= params.min_quality <= 1:
        raise UsageError(f"quality must be from 0 to 1, not {params.min_quality:g}", hint="0 includes every face")
    if not 0 <= params.local_scaling <= MAX_LOCAL_SCALING:
        raise UsageError(
            f"local-scaling must be from 0 to {MAX_LOCAL_SCALING:g}, not {params.local_scaling:g}",
            hint=f"the default is {LOCAL_SCALING:g}; 0 switches it off",
        )


def membership_strength(embeddings: Float32, clusters: Indices) -> Float32:
    """Return how close each face is to the rest of its cluster, (n,) float32, 0 to 1.

    This is 1 − (mean squared L2 to the cluster's other faces) / (2r²), and 0 for a face alone: two
    orthogonal embeddings of norm r have a squared L2 of 2r².
    """
    strength = np.zeros(len(embeddings), np.float32)
    for groups in sum_groups(embeddings, clusters):
        squares = np.empty(len(groups.faces))
        for part in groups.parts():
            rows = embeddings[groups.faces[part]]
            squares[part] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        squares_of = np.bincount(groups.group, squares)
        for part in groups.parts():
            faces, group = groups.faces[part], groups.group[part]
            own, others = embeddings[faces].astype(np.float64), groups.sizes[group] - 1
            products = np.einsum("ij,ij->i", own, groups.sums[group] - own)
            distance = squares[part] + (squares_of[group] - squares[part] - 2 * products) / others
            with np.errstate(invalid="ignore", divide="ignore"):  # embeddings of norm 0
                strength[faces] = np.clip(1 - distance / (2 * squares[part]), 0, 1)
    return strength
