"""Find duplicate faces: one face on a copy, an edited version or the next shot of a burst."""

from __future__ import annotations

import numpy as np

from faceclust.cluster.labels import groups_of
from faceclust.types import FaceTable, Indices, paired_intersection_over_union

#: A shot of more photos is not a burst: the camera's clock stood still.
_MAX_BURST_PHOTOS = 20
_MIN_BOX_IOU = 0.5


def find_duplicate_faces(faces: FaceTable, threshold: float) -> list[Indices]:
    """Return pairs of positions of faces that are duplicates, each an array of two.

    Two faces are duplicates if they are on different photos of one shot, their boxes have an
    intersection over union of at least 0.5, and their squared L2 is at most `threshold`.
    """
    shots = [shot for numbers in faces.shots.T for shot in groups_of(numbers) if numbers[shot[0]] >= 0]
    pairs = [_duplicates_in_shot(faces, shot, threshold) for shot in shots]
    return list(np.unique(np.concatenate([np.empty((0, 2), np.int64), *pairs]), axis=0))


def _duplicates_in_shot(faces: FaceTable, shot: Indices, threshold: float) -> Indices:
    photos = faces.photo_ids[shot]
    if not 1 < len(np.unique(photos)) <= _MAX_BURST_PHOTOS:
        return np.empty((0, 2), np.int64)
    i, j = np.triu_indices(len(shot), 1)
    different = photos[i] != photos[j]
    i, j = np.sort(np.stack([shot[i[different]], shot[j[different]]]), axis=0)
    overlapping = paired_intersection_over_union(faces.boxes[i], faces.boxes[j]) >= _MIN_BOX_IOU
    i, j = i[overlapping], j[overlapping]
    near = ((faces.embeddings[i] - faces.embeddings[j]) ** 2).sum(axis=1) <= threshold
    return np.stack([i[near], j[near]], axis=1)
