"""Clustering: the default threshold, the parameters and the result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float32, Float64, check_array

#: The default threshold on the squared L2 distance, for groups and for `identify`. The radius of each
#: pack is calibrated so that clustering works best at this distance. `verify` has a higher threshold.
OPERATING_POINT = 1.1
#: The share of two groups' scatter that is subtracted from their distance (see `cluster.two_passes`).
#: Values from 0.4 to 0.6 give equally good groups on LFW and on synthetic libraries.
SCATTER_SHARE = 0.5
#: The default weight of local scaling (see `cluster.local_scaling`).
LOCAL_SCALING = 0.75
#: Beyond this weight, a few crowded faces would be alone whatever they look like.
MAX_LOCAL_SCALING = 2.0
#: Limits of what local scaling adds for one face, as shares of the threshold. Embeddings of LFW stay within
#: them; vectors of another kind could otherwise be joined or separated whatever their distance.
_MAX_BONUS, _MAX_PENALTY = 0.1, 0.25


@dataclass(frozen=True)
class ClusterParams:
    """The parameters of a clustering, stored with it."""

    algorithm: str = "average"
    threshold: float = OPERATING_POINT
    min_size: int = 2
    min_samples: int = 1  # hdbscan only
    second_pass: bool = True  # average only
    local_scaling: float = LOCAL_SCALING  # average only; 0 switches it off
    allow_same_photo: bool = False
    min_quality: float = 0.5  # faces below it join the finished groups


def scale_crowding(crowding: Float32, median: float, params: ClusterParams) -> Float64:
    """Return what local scaling adds to each squared distance, float64 (n,): one value for each of two faces."""
    offsets = params.local_scaling * (crowding.astype(np.float64) - median)
    return np.clip(offsets, -_MAX_BONUS * params.threshold, _MAX_PENALTY * params.threshold)


_COLUMNS = ("face_ids", "labels", "strength", "parts", "crowding", "unscaled_groups")


@dataclass(frozen=True)
class Clustering:
    """The group number of each face, `labels` (n,) int32; −1 for a face alone.

    `strength` (n,) float32 is 0 to 1: how close the face is to its group's centre. `parts` (n,)
    int32 numbers the groups without the user's links (see `cluster.parts`), −1 for a face alone.
    `crowding` (n,) float32 is the mean similarity to the nearest faces of other groups (see
    `cluster.local_scaling`). At the last clustering from scratch, `median_crowding` was its median, and
    `unscaled_groups` (n,) int32 were the groups that it is measured against: those before distances were
    scaled, a face alone being one, too; −1 for other faces. Without local scaling, they are 0, 0 and −1.
    `models` identifies the embedding space. `size_at_full_run` is the number of faces at the last
    clustering from scratch. `highest_number` is the highest group number ever used.
    """

    face_ids: NDArray[np.str_]
    labels: NDArray[np.int32]
    strength: Float32
    parts: NDArray[np.int32]
    crowding: Float32
    unscaled_groups: NDArray[np.int32]
    median_crowding: float = 0.0
    params: ClusterParams = field(default_factory=ClusterParams)
    models: str = ""
    size_at_full_run: int = 0
    highest_number: int = 0

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        check_array("labels", self.labels, (n,), np.int32)
        check_array("strength", self.strength, (n,), np.float32)
        check_array("parts", self.parts, (n,), np.int32)
        check_array("crowding", self.crowding, (n,), np.float32)
        check_array("unscaled_groups", self.unscaled_groups, (n,), np.int32)

    def restrict_to(self, face_ids: NDArray[np.str_]) -> Clustering:
        """Return the clustering without all other faces."""
        kept = np.isin(self.face_ids, face_ids)
        return self.take(np.flatnonzero(kept))

    def take(self, positions: NDArray[np.intp]) -> Clustering:
        """Return the clustering of the faces at these positions."""
        columns = {name: getattr(self, name)[positions] for name in _COLUMNS}
        return replace(self, **columns)

    @property
    def offsets(self) -> Float64:
        """What local scaling adds to each squared distance, float64 (n,): one value for each of two faces."""
        return scale_crowding(self.crowding, self.median_crowding, self.params)
