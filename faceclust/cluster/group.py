"""Faces to groups: the algorithm by name, then numbers that mean something."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.density import hdbscan_groups
from faceclust.cluster.distances import ClusterMeans, Indices
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.rules import RULES
from faceclust.errors import UsageError
from faceclust.progress import Progress, Silent
from faceclust.types import Clustering, ClusterParams, FaceTable, Float32

_Algorithm = Callable[[Float32, ClusterParams, Constraints, Progress], Indices]


def _linkage(name: str) -> _Algorithm:
    return lambda x, p, c, progress: agglomerate(x, p.threshold, name, c, progress)


ALGORITHMS: dict[str, _Algorithm] = {
    **{linkage: _linkage(linkage) for linkage in RULES},
    "hdbscan": lambda x, p, c, progress: hdbscan_groups(x, p.min_size, constraints=c, progress=progress),
}


def group_faces(
    faces: FaceTable, params: ClusterParams, constraints: Constraints, progress: Progress | None = None
) -> Clustering:
    """Group faces by person. Raises UsageError for an unknown algorithm or a senseless number."""
    if params.algorithm not in ALGORITHMS:
        raise UsageError(f"no algorithm {params.algorithm!r}", hint=f"choose one of {', '.join(ALGORITHMS)}")
    if not 0 < params.threshold <= 1000:
        raise UsageError(
            f"threshold {params.threshold:g} is not a distance above 0", hint="1.1 is what the models are set to"
        )
    if params.min_size < 1:
        raise UsageError(f"min-size {params.min_size} is not at least 1")
    clusters = ALGORITHMS[params.algorithm](faces.embeddings, params, constraints, progress or Silent())
    return Clustering(
        face_ids=faces.face_ids,
        labels=number_groups(clusters, params.min_size),
        strength=membership_strength(faces.embeddings, clusters),
        params=params,
    )


def number_groups(clusters: Indices, min_size: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Cluster names (smallest member's position) to numbers from 1 by falling size, then by
    first member; −1 for the members of clusters smaller than `min_size`, and for faces alone."""
    names, inverse, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.lexsort((names, -counts))
    numbers = np.full(len(names), -1, np.int32)
    large = order[counts[order] >= max(min_size, 2)]
    numbers[large] = np.arange(1, len(large) + 1)
    return numbers[inverse]


def membership_strength(embeddings: Float32, clusters: Indices) -> Float32:
    """1 − (mean squared L2 to the cluster's other faces) / (mean squared L2 of two faces that
    have nothing in common), in 0..1; 0 for a face alone. Two unlike faces of norm r are 2r² apart."""
    means = ClusterMeans(embeddings)
    n = len(embeddings)
    sums, squares = np.zeros_like(means.sums), np.zeros(n)
    np.add.at(sums, clusters, means.sums)
    np.add.at(squares, clusters, means.square_sums)
    others = np.bincount(clusters, minlength=n)[clusters] - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        products = np.einsum("ij,ij->i", means.sums, sums[clusters] - means.sums) / others
        distance = means.square_sums + (squares[clusters] - means.square_sums) / others - 2 * products
        unlike = 2 * np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64)
        strength = np.where(others > 0, 1 - distance / unlike, 0.0)
    return np.clip(strength, 0, 1).astype(np.float32)
