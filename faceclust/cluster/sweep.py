"""Groups at each of many thresholds, faster than clustering once for each.

Average linkage merges in order of distance whatever the threshold, also under cannot-links. So its
state at one threshold is the starting point for the next higher one, as long as both cluster the
same faces: links can turn a low-quality face into one that counts. The later passes cannot continue
from those at an earlier threshold, because allowances and crowding differ; they start from the first pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import ALGORITHMS, apply_links, check_params
from faceclust.cluster.labels import groups_of
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.local_scaling import LocalScaling, Surroundings
from faceclust.cluster.low_quality import absorb_low_quality, select_low_quality
from faceclust.cluster.merge_history import MergeHistory
from faceclust.cluster.numbering import NEW
from faceclust.cluster.parts import Partition, without_links
from faceclust.cluster.three_passes import run_later_passes
from faceclust.progress import SilentProgress
from faceclust.types import ClusterParams, Float32, Indices


def sweep_thresholds(
    embeddings: Float32,
    quality: Float32,
    params: ClusterParams,
    constraints: Mapping[float, Constraints],
    may_start_group: NDArray[np.bool_] | None = None,
) -> Iterator[tuple[float, Indices]]:
    """Yield each threshold of `constraints` in ascending order, with each face's cluster there.

    Clusters are (n,) int64, named by a member's position. They are those that `group_faces` makes
    from scratch of faces with this `quality` and `may_start_group`, and with `params` except for the threshold. The
    exclusions must be the same at every threshold. Faces linked at one threshold, such as duplicates
    within it, must be linked at the higher ones. HDBSCAN has no threshold: it uses the constraints of
    the first one, and the threshold only decides which low-quality faces join its groups. Raises
    UsageError if a parameter is invalid.
    """
    for threshold in constraints:
        check_params(replace(params, threshold=threshold))
    sweep = _AverageSweep(embeddings) if params.algorithm == "average" else _IndependentRuns(embeddings)
    unknown = np.full(len(embeddings), NEW)
    for threshold in sorted(constraints):
        current, limits = replace(params, threshold=threshold), constraints[threshold]
        low_quality = select_low_quality(quality, params.min_quality, limits, may_start_group)
        good = np.flatnonzero(~low_quality)
        good_limits = limits.restrict_to(good) if low_quality.any() else limits
        found, surroundings = sweep.cluster_at(good, current, good_limits)
        scaling = LocalScaling.measure(embeddings, good, surroundings, current)
        if good_limits.must_link and params.algorithm == "average":
            found = apply_links(found.clusters, embeddings[good], current, good_limits, None, scaling.offsets_of(good))
        if low_quality.any():
            found = absorb_low_quality(
                embeddings, low_quality, found, unknown, current, limits, scaling.offsets, may_start_group
            )
        yield threshold, found.clusters


class _AverageSweep:
    """Average linkage of some of the faces, at thresholds that rise from call to call."""

    def __init__(self, embeddings: Float32) -> None:
        self._embeddings = embeddings
        self._faces: Indices = np.empty(0, np.int64)
        self._lower_groups: Sequence[Indices] = ()
        self._history: MergeHistory | None = None

    def cluster_at(
        self, faces: Indices, params: ClusterParams, limits: Constraints
    ) -> tuple[Partition, Surroundings | None]:
        """Cluster these faces without the must-links; clusters are named by a position in `faces`.

        Also returns what crowding is measured against, None without local scaling.
        """
        embeddings, unlinked = self._embeddings[faces], without_links(limits, len(faces))
        if not np.array_equal(faces, self._faces):
            self._lower_groups = ()
            self._history = MergeHistory(len(faces)) if params.local_scaling else None
        start = Constraints(self._lower_groups, unlinked.exclusions)
        first = agglomerate(embeddings, params.threshold, "average", start, history=self._history)
        self._faces, self._lower_groups = faces, groups_of(first)
        clusters, surroundings = run_later_passes(embeddings, first, self._history, params, unlinked)
        return Partition(clusters, clusters), surroundings


class _IndependentRuns:
    """Any other algorithm: each threshold from scratch, and HDBSCAN once."""

    def __init__(self, embeddings: Float32) -> None:
        self._embeddings = embeddings
        self._faces: Indices = np.empty(0, np.int64)
        self._clusters: Indices = np.empty(0, np.int64)

    def cluster_at(
        self, faces: Indices, params: ClusterParams, limits: Constraints
    ) -> tuple[Partition, Surroundings | None]:
        """See `_AverageSweep.cluster_at`."""
        if params.algorithm != "hdbscan" or not np.array_equal(faces, self._faces):
            self._faces = faces
            self._clusters = ALGORITHMS[params.algorithm](
                self._embeddings[faces], params, limits, SilentProgress(), None
            )
        return Partition(self._clusters, self._clusters), None
