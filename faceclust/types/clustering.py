"""Clustering: the default threshold, the parameters and the result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float32, check_array

#: The default threshold on the squared L2 distance, for groups and for `identify`. The radius of each
#: pack is calibrated so that clustering works best at this distance. `verify` has a higher threshold.
OPERATING_POINT = 1.1
#: The share of two groups' scatter that is subtracted from their distance (see `cluster.two_passes`).
#: Values from 0.4 to 0.6 give equally good groups on LFW and on synthetic libraries.
SCATTER_SHARE = 0.5


@dataclass(frozen=True)
class ClusterParams:
    """The parameters of a clustering, stored with it."""

    algorithm: str = "average"
    threshold: float = OPERATING_POINT
    min_size: int = 2
    min_samples: int = 1  # hdbscan only
    second_pass: bool = True  # average only
    allow_same_photo: bool = False
    min_quality: float = 0.5  # faces below it join the finished groups


@dataclass(frozen=True)
class Clustering:
    """The group number of each face, `labels` (n,) int32; −1 for a face alone.

    `strength` (n,) float32 is 0 to 1: how close the face is to its group's centre. `parts` (n,)
    int32 numbers the groups without the user's links (see `cluster.parts`), −1 for a face alone.
    `models` identifies the embedding space. `size_at_full_run` is the number of faces at the last
    clustering from scratch. `highest_number` is the highest group number ever used.
    """

    face_ids: NDArray[np.str_]
    labels: NDArray[np.int32]
    strength: Float32
    parts: NDArray[np.int32]
    params: ClusterParams = field(default_factory=ClusterParams)
    models: str = ""
    size_at_full_run: int = 0
    highest_number: int = 0

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        check_array("labels", self.labels, (n,), np.int32)
        check_array("strength", self.strength, (n,), np.float32)
        check_array("parts", self.parts, (n,), np.int32)

    def restrict_to(self, face_ids: NDArray[np.str_]) -> Clustering:
        """Return the clustering without all other faces."""
        kept = np.isin(self.face_ids, face_ids)
        columns = {name: getattr(self, name)[kept] for name in ("face_ids", "labels", "strength", "parts")}
        return replace(self, **columns)
