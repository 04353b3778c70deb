"""The input of clustering: `FaceTable`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float32, check_array


@dataclass(frozen=True)
class FaceTable:
    """Every distinct face of a library, sorted by face id.

    A face id is a hash of the photo's content and the face's box, so the faces of two copies of a
    photo appear once. `embeddings` are float32 (n, d). `photo_ids` are content hashes. `taken_at`
    is datetime64[s], NaT if unknown. `boxes` (n, 4) are fractions of the upright photo. `shots`
    (n, 2) int64 number the photos taken at the same moment, and the versions of the same file;
    −1 if unknown.
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
            raise ValueError("face_ids: expected distinct ids in ascending order")

    def __len__(self) -> int:
        return len(self.face_ids)
