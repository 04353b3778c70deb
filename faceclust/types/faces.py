"""Faces as values: one `Face` of a picture, and `FaceTable`, the input of clustering."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float32, Indices, UInt8, check_array
from faceclust.types.boxes import Box


@dataclass(frozen=True, eq=False)
class Face:
    """A face on a picture. Lengths are pixels of the upright picture, from its top left corner.

    Other packages call the values bbox, kps or landmarks, det_score, encoding or normed_embedding.
    `box`: left, top, right, bottom, within the picture. `landmarks`: float32 (5, 2), x and y of the eye
    on the left of the upright face, the other eye, the tip of the nose, the left corner of the mouth and
    the right one. `score`: confidence of the detector, 0 to 1. `quality`: image quality for
    recognition, 0 to 1. `embedding`: float32 (d,), with the pack's radius as norm: the squared L2
    distance of two embeddings is smaller, the more alike the faces are. `chip`: uint8 RGB (h, w, 3), the aligned
    face that was embedded.
    """

    box: Box
    landmarks: Float32 = field(repr=False)
    score: float
    quality: float
    embedding: Float32 = field(repr=False)
    chip: UInt8 = field(repr=False)

    def __post_init__(self) -> None:
        check_array("landmarks", self.landmarks, (5, 2), np.float32)
        check_array("embedding", self.embedding, (None,), np.float32)
        check_array("chip", self.chip, (None, None, 3), np.uint8)


@dataclass(frozen=True)
class FaceTable:
    """Every distinct face of a library, sorted by face id.

    A face id is a hash of the photo's content and the face's box, so the faces of two copies of a
    photo appear once. `embeddings` are float32 (n, d), mapped from a file if they are many.
    `photo_ids` (n,), of any type, are equal for faces of one photo, or of one frame of a video. `taken_at` is
    datetime64[s], NaT if unknown. `boxes` (n, 4) are fractions of the upright photo. `shots` (n, 2) int64 number
    the photos taken at the same moment, and the versions of the same file; −1 if unknown. `may_start_group` (n,) is
    false for people who are seen too briefly in a video to start a group; by default, all may.
    """

    face_ids: NDArray[np.str_]
    photo_ids: NDArray[Any]
    embeddings: Float32
    quality: Float32
    taken_at: NDArray[np.datetime64]
    boxes: Float32
    shots: NDArray[np.int64]
    may_start_group: NDArray[np.bool_] = field(default=None)  # type: ignore[arg-type]  # all, once the length is known

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        if self.may_start_group is None:
            object.__setattr__(self, "may_start_group", np.ones(n, np.bool_))
        for name in ("photo_ids", "quality", "taken_at"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name}: expected shape ({n},), got {getattr(self, name).shape}")
        check_array("embeddings", self.embeddings, (n, None), np.float32)
        if not np.isfinite(self.embeddings.sum(dtype=np.float64)):
            raise ValueError("embeddings: expected finite numbers")
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("shots", self.shots, (n, 2), np.int64)
        check_array("may_start_group", self.may_start_group, (n,), np.bool_)
        if n > 1 and not (self.face_ids[:-1] < self.face_ids[1:]).all():
            raise ValueError("face_ids: expected distinct ids in ascending order")

    def __len__(self) -> int:
        return len(self.face_ids)

    def take(self, positions: Indices) -> FaceTable:
        """Return the table of the faces at these positions, in ascending order."""
        return FaceTable(**{column.name: getattr(self, column.name)[positions] for column in fields(self)})
