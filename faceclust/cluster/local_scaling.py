"""Local scaling: a face in crowded surroundings has to be nearer to be the same person.

To an embedder trained on adults, children look alike, and so do blurred faces and those of people
it has seldom seen. One threshold cannot serve them and everybody else. The crowding of a face is
its mean similarity to the nearest faces of other groups. To a squared distance, the amount is added
by which the crowding of both faces exceeds the median:

    d′(i, j) = d(i, j) + w (p_i + p_j − 2 median(p)),    p_i = mean of ⟨x_i, x_g⟩

over the NEIGHBOUR_GROUPS nearest other groups g. So the threshold keeps its meaning for a face of
median crowding. The correction is that of CSLS (Conneau et al. 2018, section 2.3) and of adaptive
score normalisation without the standard deviation (Matějka et al. 2017, section 3). As it adds one
number for each face, average linkage stays exact.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faceclust.cluster.blocked_pairs import map_row_blocks
from faceclust.cluster.labels import sum_groups
from faceclust.progress import Progress, SilentProgress
from faceclust.types import ClusterParams, Float32, Float64, Indices, scale_crowding

#: The number of other groups that crowding is measured against (k).
NEIGHBOUR_GROUPS = 10
#: In a library of more groups, crowding is measured against this many, drawn by a hash of their faces.
MAX_COHORT = 8192
#: Crowding is rounded to this share of r², which hides the rounding errors of different processors.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class LocalScaling:
    """The `crowding` (n,) of faces, the `median` of a library, and the `groups` that it is measured against.

    `groups` (n,) are −1 for faces in none of them. `is_on` is false without local scaling.
    """

    crowding: Float32
    groups: Indices
    median: float
    params: ClusterParams
    is_on: bool = True

    @classmethod
    def measure(
        cls, embeddings: Float32, grouped: Indices, surroundings: Surroundings | None, params: ClusterParams
    ) -> LocalScaling:
        """Measure faces (n, d), of which those at the positions `grouped` made the groups of the `surroundings`."""
        crowding, groups = np.zeros(len(embeddings), np.float32), np.full(len(embeddings), -1)
        if surroundings is None:
            return cls(crowding, groups, 0.0, params, is_on=False)
        others = np.setdiff1d(np.arange(len(embeddings)), grouped, assume_unique=True)
        crowding[grouped] = surroundings.crowding
        crowding[others] = surroundings.crowding_of(embeddings[others], params.threshold)
        groups[grouped] = surroundings.groups
        return cls(crowding, groups, surroundings.median, params)

    @property
    def offsets(self) -> Float64 | None:
        """What is added to each squared distance, float64 (n,): one value for each of two faces."""
        return scale_crowding(self.crowding, self.median, self.params) if self.is_on else None

    def offsets_of(self, faces: Indices) -> Float64 | None:
        """Return the offsets of the faces at these positions."""
        return None if self.offsets is None else self.offsets[faces]


class Surroundings:
    """One face of each group, which the crowding of faces is measured against.

    The face nearest to the mean of its group stands for it (ties: by position). `clusters` (n,) are
    labels of any kind; a face alone is a group of one.
    """

    def __init__(self, embeddings: Float32, clusters: Indices, progress: Progress | None = None) -> None:
        self._embeddings, self._progress = embeddings, progress or SilentProgress()
        #: The group of each face (n,), numbered from 0.
        self.groups: Indices
        representatives, self.groups = _representatives(embeddings, clusters)
        chosen = _draw_cohort(embeddings, representatives)
        self._cohort = np.ascontiguousarray(embeddings[representatives[chosen]])
        #: Each face's own group as a position in the cohort, −1 if it is not in there.
        column = np.full(len(representatives), -1)
        column[chosen] = np.arange(len(chosen))
        self._own = column[self.groups]
        squares = np.einsum("ij,ij->", self._cohort, self._cohort, dtype=np.float64)
        self._mean_square_norm = float(squares) / max(1, len(self._cohort))
        self._step = _ROUNDING * self._mean_square_norm

    @cached_property
    def crowding(self) -> Float32:
        """The crowding of the faces themselves, float32 (n,); their own group is left out."""
        return self._measure(self._embeddings, self._own, np.inf)

    @cached_property
    def median(self) -> float:
        """The median of `crowding`; 0 without faces."""
        return float(np.median(self.crowding)) if len(self.crowding) else 0.0

    def crowding_of(self, embeddings: Float32, threshold: float) -> Float32:
        """Return the crowding of other faces (m, d), float32 (m,).

        Their own groups are unknown. So the nearest group is left out if it is within the threshold. Beyond it,
        a face is of somebody new, who has no group yet.
        """
        return self._measure(embeddings, None, self._mean_square_norm - threshold / 2)

    def _measure(self, embeddings: Float32, own: Indices | None, least: float) -> Float32:
        """Return the mean similarity to the nearest groups other than `own` (m,).

        Without `own`, the nearest group is left out if its similarity is at least `least`.
        If there are fewer than NEIGHBOUR_GROUPS, each missing one counts as 0. So the differences between
        faces, and with them the correction, shrink with the number of groups.
        """
        count = min(NEIGHBOUR_GROUPS, len(self._cohort) - 1)
        if count < 1 or not len(embeddings):
            return np.zeros(len(embeddings), np.float32)

        def measure_block(rows: slice) -> Float32:
            similarity = embeddings[rows] @ self._cohort.T
            if own is None:
                nearest = np.partition(similarity, (-count - 1, -1), axis=1)[:, -count - 1 :]
                left_out = np.where(nearest[:, -1] >= least, -1, 0)
                nearest[np.arange(len(nearest)), left_out] = 0
            else:
                columns = own[rows]
                inside = np.flatnonzero(columns >= 0)
                similarity[inside, columns[inside]] = -np.inf
                nearest = np.partition(similarity, -count, axis=1)[:, -count:]
            return np.asarray(nearest.sum(axis=1, dtype=np.float64) / NEIGHBOUR_GROUPS, np.float32)

        values, done = np.empty(len(embeddings), np.float32), 0
        self._progress.start("comparing faces with other groups", len(embeddings), "faces")
        for block in map_row_blocks(measure_block, len(embeddings)):
            values[done : done + len(block)] = block
            done += len(block)
            self._progress.advance(len(block))
        self._progress.finish()
        return np.asarray(np.rint(values / self._step) * self._step, np.float32) if self._step else values


def _representatives(embeddings: Float32, clusters: Indices) -> tuple[Indices, Indices]:
    """Return the position of the face nearest to each group's mean (g,), and each face's group (n,)."""
    _, group, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    distance = np.zeros(len(embeddings))
    for groups in sum_groups(embeddings, clusters):
        means = groups.sums / groups.sizes[:, None]
        for part in groups.parts():
            away = embeddings[groups.faces[part]] - means[groups.group[part]]
            distance[groups.faces[part]] = np.einsum("ij,ij->i", away, away)
    order = np.lexsort((distance, group))
    return order[np.cumsum(sizes) - sizes], group.astype(np.int64)


def _draw_cohort(embeddings: Float32, representatives: Indices) -> Indices:
    """Return the positions in `representatives` of those to compare with, in ascending order."""
    if len(representatives) <= MAX_COHORT:
        return np.arange(len(representatives))
    rows = (np.ascontiguousarray(embeddings[face]) for face in representatives)
    hashes = np.fromiter((zlib.crc32(row.data) for row in rows), np.int64, len(representatives))
    return np.sort(np.argsort(hashes, kind="stable")[:MAX_COHORT])
