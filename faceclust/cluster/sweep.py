"""The groups at each of many thresholds, for less than as many groupings cost.

Average linkage cut at a threshold is where it stands on its way to a higher one: merges come in
the order of their distances, whatever the cut, and so they do where cannot-links forbid some. So
each cut begins with the clusters of the one below it, if it is of the same faces: links can make a
poor face one that counts. (The second pass does not go on from the second pass below, for the
allowances are others; it begins with the clusters of the first.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import ALGORITHMS, add_low_quality, apply_links, check_params
from faceclust.cluster.labels import groups_of
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.low_quality import select_low_quality
from faceclust.cluster.numbering import NEW
from faceclust.cluster.parts import without_links
from faceclust.cluster.two_passes import run_second_pass
from faceclust.progress import SilentProgress
from faceclust.types import ClusterParams, Float32, Indices


def sweep_thresholds(
    embeddings: Float32, quality: Float32, params: ClusterParams, constraints: Mapping[float, Constraints]
) -> Iterator[tuple[float, Indices]]:
    """Each threshold that there are `constraints` for, rising, and each face's cluster there, (n,)
    int64, named by a member's position: as `group_faces` makes them anew of faces of this `quality`
    (n,), with `params` but for their threshold. The exclusions are the same at every threshold; faces
    linked at one (seen twice, within it) are at the higher ones. HDBSCAN, which knows no threshold,
    is given the constraints of the first; poor faces alone join its groups by the threshold. Raises
    UsageError for a senseless number."""
    for threshold in constraints:
        check_params(replace(params, threshold=threshold))
    cuts = _AverageSweep(embeddings) if params.algorithm == "average" else _IndependentRuns(embeddings)
    unknown = np.full(len(embeddings), NEW)
    for threshold in sorted(constraints):
        now, limits = replace(params, threshold=threshold), constraints[threshold]
        poor = select_low_quality(quality, params.min_quality, limits)
        good = np.flatnonzero(~poor)
        clusters, parts = cuts.cluster_at(good, now, limits.restrict_to(good) if poor.any() else limits)
        if poor.any():
            clusters, _ = add_low_quality(embeddings, poor, clusters, parts, unknown, now, limits)
        yield threshold, clusters


class _AverageSweep:
    """Average linkage of some of the faces, at thresholds that rise from call to call."""

    def __init__(self, embeddings: Float32) -> None:
        self._embeddings = embeddings
        self._faces: Indices = np.empty(0, np.int64)
        self._lower_groups: Sequence[Indices] = ()

    def cluster_at(self, faces: Indices, params: ClusterParams, limits: Constraints) -> tuple[Indices, Indices]:
        """Clusters and parts of these faces, named by a position among them."""
        embeddings = self._embeddings[faces]
        exclusions = without_links(limits, len(faces)).exclusions
        below = self._lower_groups if np.array_equal(faces, self._faces) else ()
        clusters = agglomerate(embeddings, params.threshold, "average", Constraints(below, exclusions))
        self._faces, self._lower_groups = faces, groups_of(clusters)
        if params.second_pass:
            clusters = run_second_pass(embeddings, clusters, params.threshold, Constraints((), exclusions))
        if not limits.must_link:
            return clusters, clusters
        made = apply_links(clusters, embeddings, params, limits)
        return made.clusters, made.parts


class _IndependentRuns:
    """Another algorithm, which begins anew at each threshold, if it knows one."""

    def __init__(self, embeddings: Float32) -> None:
        self._embeddings = embeddings
        self._faces: Indices = np.empty(0, np.int64)
        self._clusters: Indices = np.empty(0, np.int64)

    def cluster_at(self, faces: Indices, params: ClusterParams, limits: Constraints) -> tuple[Indices, Indices]:
        """As `_Average.at`."""
        if params.algorithm != "hdbscan" or not np.array_equal(faces, self._faces):
            self._faces = faces
            self._clusters = ALGORITHMS[params.algorithm](self._embeddings[faces], params, limits, SilentProgress())
        return self._clusters, self._clusters
