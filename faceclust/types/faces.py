"""The faces of a library as clustering sees them, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float32, check_array

#: Squared L2 at which every pack groups best: its radius is set so that two groups of faces this near
#: are one person. The threshold of groups and of `identify`; single pairs need more (`verify`).
OPERATING_POINT = 1.1
#: The part of two groups' scatter that is taken off the distance between them (see `cluster.two_passes`).
#: From 0.4 to 0.6 the groups are equally good on LFW and on synthetic libraries.
SCATTER_SHARE = 0.5


@dataclass(frozen=True)
class FaceTable:
    """Every distinct face of a library, sorted by face id. A photo kept in two places has its
    faces here once: a face id is made of the photo's content and the face's place in it.

    `photo_ids` are content hashes; `taken_at` is datetime64[s], NaT where unknown. `boxes` are
    fractions of the upright photo. `shots` (n, 2) int64 are numbers that photos share which were
    taken in one moment, and which are versions of one file; −1 where that is not known.
    """

    face_ids: NDArray[np.str_]
    photo_ids: NDArray[np.str_]
    embeddings: Float32
    quality: Float32
    taken_at: NDArray[np.datetime64]
    boxes: Float32
    shots: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        for name in ("photo_ids", "quality", "taken_at"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name}: expected shape ({n},), got {getattr(self, name).shape}")
        check_array("embeddings", self.embeddings, (n, None), np.float32)
        if not np.isfinite(self.embeddings.sum(dtype=np.float64)):
            raise ValueError("embeddings: expected finite numbers")
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("shots", self.shots, (n, 2), np.int64)
        if n > 1 and not (self.face_ids[:-1] < self.face_ids[1:]).all():
            raise ValueError("face_ids: expected distinct ids in rising order")

    def __len__(self) -> int:
        return len(self.face_ids)


@dataclass(frozen=True)
class ClusterParams:
    """How a clustering was made; kept with it."""

    algorithm: str = "average"
    threshold: float = OPERATING_POINT
    min_size: int = 2
    min_samples: int = 1  # hdbscan
    second_pass: bool = True  # average
    allow_same_photo: bool = False
    min_quality: float = 0.5  # faces below it are left to the end


@dataclass(frozen=True)
class Clustering:
    """A label for each face: the number of its group; −1 is a face alone. `strength` in 0..1 says
    how near the face is to its group's centre. `models`: what the embeddings were made with.
    `parts`: what its group is made of apart from what the user linked (see `cluster.parts`), −1
    for a face alone in that. `whole`: how many faces there were when all were last grouped anew.
    `highest`: the highest number a group has ever had."""

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
        """The part of it that is about these faces."""
        some = np.isin(self.face_ids, face_ids)
        columns = {name: getattr(self, name)[some] for name in ("face_ids", "labels", "strength", "parts")}
        return replace(self, **columns)

    @property
    def group_count(self) -> int:
        return len(np.unique(self.labels[self.labels >= 0]))
