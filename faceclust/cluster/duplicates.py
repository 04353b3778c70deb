"""Find duplicate faces: one face on a copy, an edited version or the next shot of a burst."""

from __future__ import annotations

import numpy as np

from faceclust.cluster.face_sets import FaceSets
from faceclust.types import FaceTable, Indices, paired_intersection_over_union

#: A shot of more photos is not a burst: the camera's clock stood still.
_MAX_BURST_PHOTOS = 20
_MIN_BOX_IOU = 0.5


def find_duplicate_faces(faces: FaceTable, threshold: float) -> Indices:
    """Return pairs of positions of faces that are duplicates, (k, 2) in ascending order.

    Two faces are duplicates if they are on different photos of one shot, their boxes have an
    intersection over union of at least 0.5, and their squared L2 is at most `threshold`.
    """
    photos = np.unique(faces.photo_ids, return_inverse=True)[1].astype(np.int64)
    bursts = (burst for shots in faces.shots.T for burst in _find_bursts(shots, photos))
    pairs = [found for burst in bursts if len(found := _duplicates_in_burst(faces, photos, burst, threshold))]
    return np.unique(np.concatenate([np.empty((0, 2), np.int64), *pairs]), axis=0)


def _find_bursts(shots: Indices, photos: Indices) -> FaceSets:
    """Return the faces of each shot that is on several photos, but on few enough for a burst."""
    known = np.flatnonzero(shots >= 0)
    _, shot = np.unique(shots[known], return_inverse=True)
    photo_count = photos.max(initial=0) + 1
    counts = np.bincount(np.unique(shot * photo_count + photos[known]) // photo_count)[shot]
    several = (counts > 1) & (counts <= _MAX_BURST_PHOTOS)
    faces, shot = known[several], shot[several]
    order = np.argsort(shot, kind="stable")
    return FaceSets.of_runs(shot[order], faces[order])


def _duplicates_in_burst(faces: FaceTable, photo_of: Indices, burst: Indices, threshold: float) -> Indices:
    i, j = np.triu_indices(len(burst), 1)
    different = photo_of[burst[i]] != photo_of[burst[j]]
    i, j = np.sort(np.stack([burst[i[different]], burst[j[different]]]), axis=0)
    overlapping = paired_intersection_over_union(faces.boxes[i], faces.boxes[j]) >= _MIN_BOX_IOU
    i, j = i[overlapping], j[overlapping]
    near = ((faces.embeddings[i] - faces.embeddings[j]) ** 2).sum(axis=1) <= threshold
    return np.stack([i[near], j[near]], axis=1)
