"""Compare two results of one photo: which faces does one of them lack?"""

from __future__ import annotations

import numpy as np

from faceclust.types import SAME_FACE_OVERLAP, ScannedPhoto, paired_intersection_over_union


def keep_earlier_faces(photo: ScannedPhoto, before: ScannedPhoto) -> ScannedPhoto:
    """Return a result with the faces of an earlier one of the same content that were not found again.

    Faces drawn by hand are kept even if others overlap them.
    """
    rows = set(find_new_faces(before, photo))
    rows.update(row for row, face in enumerate(before.face_ids) if face in before.by_hand)
    return photo.with_faces_of(before.take(sorted(rows)))


def find_new_faces(photo: ScannedPhoto, before: ScannedPhoto) -> list[int]:
    """Return the indices of the faces of `photo` that overlap no face detected on `before`. Those of a video differ
    by id."""
    detected = before.boxes[[face not in before.by_hand for face in before.face_ids]]
    if photo.frames or before.frames:  # a person has several faces in a video
        return [row for row, face in enumerate(photo.face_ids) if face not in before.frames]
    overlaps = (
        paired_intersection_over_union(detected, np.broadcast_to(box, detected.shape)).max(initial=0.0)
        for box in photo.boxes
    )
    return [row for row, overlap in enumerate(overlaps) if overlap < SAME_FACE_OVERLAP]
