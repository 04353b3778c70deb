"""Faces to groups: the algorithm by name, all faces or only the new ones, and numbers that stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.density import hdbscan_groups
from faceclust.cluster.distances import Indices
from faceclust.cluster.forecast import forecast, in_words
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.numbering import NEW, Changes, compare, earlier_groups, number_groups
from faceclust.cluster.two_passes import two_passes
from faceclust.errors import UsageError
from faceclust.progress import Progress, Silent
from faceclust.types import Clustering, ClusterParams, FaceTable, Float32

_CHUNK = 1 << 16  # faces at a time: bounds the memory
_MANY = 20_000  # faces from which it is said beforehand what grouping will cost

_Algorithm = Callable[[Float32, ClusterParams, Constraints, Progress], Indices]


def _average(embeddings: Float32, params: ClusterParams, constraints: Constraints, progress: Progress) -> Indices:
    if params.second_pass:
        return two_passes(embeddings, params.threshold, constraints, progress)
    return agglomerate(embeddings, params.threshold, "average", constraints, progress)


ALGORITHMS: dict[str, _Algorithm] = {
    "average": _average,
    "complete": lambda x, p, c, progress: agglomerate(x, p.threshold, "complete", c, progress),
    "single": lambda x, p, c, progress: agglomerate(x, p.threshold, "single", c, progress),
    "hdbscan": lambda x, p, c, progress: hdbscan_groups(x, p.min_size, p.min_samples, c, progress),
}


@dataclass(frozen=True)
class Grouping:
    """What a run of `cluster` did. `changes` since the last one, None the first time. `anew`:
    all faces were grouped; else only `compared` new ones, and `would_merge` groups would go into
    others if all were."""

    clustering: Clustering
    changes: Changes | None
    anew: bool
    compared: int
    would_merge: int


def group_faces(
    faces: FaceTable,
    params: ClusterParams,
    constraints: Constraints,
    progress: Progress | None = None,
    *,
    earlier: Clustering | None = None,
    models: str = "",
    taken: int = 0,
    anew: bool = False,
) -> Grouping:
    """Group faces by person.

    `earlier`: the last clustering, whose group numbers are kept. Where it was made by the same
    parameters and models, its groups are kept as well and only faces new since are looked at,
    unless they are most of the library, or `anew` asks for all. Only average linkage can go on
    from there. New groups get numbers above `taken`. Raises UsageError for an unknown algorithm or a senseless number.
    """
    check(params)
    progress = progress or Silent()
    before = earlier_groups(faces.face_ids, earlier)
    goes_on = (
        not anew
        and earlier is not None
        and (earlier.params, earlier.models) == (params, models)
        and params.algorithm == "average"
        and 2 * np.count_nonzero(before == NEW) <= len(before)
    )
    compared, would_merge = len(faces), 0
    if goes_on:
        extended = extend_groups(
            faces.embeddings,
            before,
            params.threshold,
            constraints,
            lambda some, limits: ALGORITHMS[params.algorithm](some, params, limits, Silent()),
            progress,
        )
        clusters, compared, would_merge = extended.clusters, extended.compared, extended.would_merge
    else:
        if len(faces) >= _MANY:
            progress.note(in_words(forecast(*faces.embeddings.shape), len(faces)))
        clusters = ALGORITHMS[params.algorithm](faces.embeddings, params, constraints, progress)
    known = before if earlier is not None else None
    labels = number_groups(clusters, params.min_size, known, taken, constraints.anchors)
    clustering = Clustering(
        face_ids=faces.face_ids,
        labels=labels,
        strength=membership_strength(faces.embeddings, clusters),
        params=params,
        models=models,
        whole=earlier.whole if goes_on and earlier is not None else len(faces),
        highest=max(taken, int(labels.max(initial=0))),
    )
    changes = None if earlier is None else compare(earlier, clustering)
    return Grouping(clustering, changes, not goes_on, compared, would_merge)


def check(params: ClusterParams) -> None:
    """Raises UsageError for an unknown algorithm or a senseless number."""
    if params.algorithm not in ALGORITHMS:
        raise UsageError(f"no algorithm {params.algorithm!r}", hint=f"choose one of {', '.join(ALGORITHMS)}")
    if not 0 < params.threshold <= 1000:
        raise UsageError(
            f"threshold {params.threshold:g} is not a distance above 0", hint="1.1 is what the models are set to"
        )
    for name, value in (("min-size", params.min_size), ("min-samples", params.min_samples)):
        if value < 1:
            raise UsageError(f"{name} {value} is not at least 1")


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
