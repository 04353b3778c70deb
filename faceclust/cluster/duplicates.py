"""The same face seen twice: on a copy, an edited version or the next shot of a burst."""

from __future__ import annotations

import numpy as np

from faceclust.types import FaceTable, Indices, paired_intersection_over_union

#: Photos that share a shot; more than this is no burst but a clock that stands still.
_MAX_BURST_PHOTOS = 20
#: Overlap of the boxes (intersection over union).
_MIN_BOX_IOU = 0.5


def find_duplicate_faces(faces: FaceTable, threshold: float) -> list[Indices]:
    """Pairs of faces (each an array of two positions) that are one face seen twice: on two photos
    of one shot, in the same place (boxes overlap by half), at squared L2 ≤ `threshold`."""
    pairs = [_duplicates_in_shot(faces, shot, threshold) for column in faces.shots.T for shot in _group_by_shot(column)]
    return list(np.unique(np.concatenate([np.empty((0, 2), np.int64), *pairs]), axis=0))


def _group_by_shot(numbers: Indices) -> list[Indices]:
    """Positions of faces that share a shot number; −1 is none."""
    order = np.argsort(numbers, kind="stable")
    order = order[numbers[order] >= 0]
    parts = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return [part for part in parts if len(part) > 1]


def _duplicates_in_shot(faces: FaceTable, shot: Indices, threshold: float) -> Indices:
    photos = faces.photo_ids[shot]
    if not 1 < len(np.unique(photos)) <= _MAX_BURST_PHOTOS:
        return np.empty((0, 2), np.int64)
    i, j = np.triu_indices(len(shot), 1)
    apart = photos[i] != photos[j]
    i, j = np.sort(np.stack([shot[i[apart]], shot[j[apart]]]), axis=0)
    overlap = paired_intersection_over_union(faces.boxes[i], faces.boxes[j]) >= _MIN_BOX_IOU
    i, j = i[overlap], j[overlap]
    same = ((faces.embeddings[i] - faces.embeddings[j]) ** 2).sum(axis=1) <= threshold
    return np.stack([i[same], j[same]], axis=1)
