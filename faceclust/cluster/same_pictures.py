"""Find photos that may be versions of one picture: taken in the same second, with the same faces at the same places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.types import OPERATING_POINT, FaceTable, Float32, Indices, paired_intersection_over_union

#: Intersection over union of the boxes of one face on two versions of a picture, at least. A third of the size: 0.8.
_MIN_BOX_IOU = 0.75
#: Squared L2 of the embeddings of one face on two versions of a picture, at most.
_MAX_DISTANCE = OPERATING_POINT
#: Boxes with an intersection over union of 0.75 have centres within a seventh of the larger width from each other.
_MAX_SHIFT = 0.2  # of the smaller width
#: In a second with more faces, a clock stood still; all of their pairs would take too long.
_MAX_FACES_A_SECOND = 500
#: Pairs of faces compared at a time: 100 MB of embeddings.
_BLOCK_PAIRS = 60_000


@dataclass(frozen=True)
class PicturePairs:
    """Pairs of photos that may be versions of one picture. `photos` (k, 2) are values of `FaceTable.photo_ids`. Over
    the faces that both photos have: `overlap` (k,) is the smallest intersection over union, `distance` (k,) the
    largest squared L2."""

    photos: NDArray[np.int64]
    overlap: Float32
    distance: Float32


def find_same_pictures(faces: FaceTable) -> PicturePairs:
    """Return the pairs of photos that may be versions of one picture.

    Both were taken in the same second, and by the same camera if both are known. Each face of the one with fewer
    faces is on the other, at the same place and of the same person. One of the pictures may be turned by quarters.
    """
    photo_ids, photo_of = np.unique(faces.photo_ids, return_inverse=True)
    moments = _number_moments(faces)
    face_counts = np.bincount(photo_of, minlength=len(photo_ids))
    found = []
    for turn in range(3):  # a pair that differs by three quarter turns differs by one in the other order
        blocks = [_compare_faces(faces, photo_of, turn, *block) for block in _list_candidates(faces, moments, turn)]
        i, j, overlap, distance = (np.concatenate(column) for column in zip(_NO_PAIRS, *blocks, strict=True))
        found.append(_pair_photos(photo_of, face_counts, i, j, overlap, distance))
    pairs = PicturePairs(*(np.concatenate([getattr(part, name) for part in found]) for name in _PAIR_ARRAYS))
    return PicturePairs(photo_ids[pairs.photos].astype(np.int64), pairs.overlap, pairs.distance)


_PAIR_ARRAYS = ("photos", "overlap", "distance")
_NO_PAIRS = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


def turn_boxes(boxes: Float32, turns: int) -> Float32:
    """Return boxes (n, 4) in fractions of a picture that is turned by quarters counter-clockwise (`numpy.rot90`)."""
    for _ in range(turns % 4):
        left, top, right, bottom = boxes.T
        boxes = np.stack([top, 1 - right, bottom, 1 - left], axis=1)
    return boxes


def _number_moments(faces: FaceTable) -> Indices:
    """Number the seconds of capture, (n,); −1 if it is unknown, or if a clock stood still."""
    moments = np.full(len(faces), -1, np.int64)
    known = np.flatnonzero(~np.isnat(faces.taken_at))
    _, numbers, counts = np.unique(faces.taken_at[known], return_inverse=True, return_counts=True)
    moments[known] = np.where(counts <= _MAX_FACES_A_SECOND, np.arange(len(counts)), -1)[numbers]
    return moments


def _list_candidates(faces: FaceTable, moments: Indices, turn: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield positions of faces of one moment, the second on its turned picture, with nearly the same centres in x."""
    boxes = turn_boxes(faces.boxes, turn)
    centres, turned_centres = (sides[:, [0, 2]].astype(np.float64).mean(axis=1) for sides in (faces.boxes, boxes))
    known = np.flatnonzero(moments >= 0)
    keys = 4.0 * moments[known] + centres[known]  # moments are further apart than any tolerance
    order = np.argsort(keys, kind="stable")
    known, keys = known[order], keys[order]
    wanted = 4.0 * moments[known] + turned_centres[known]
    reach = np.clip((boxes[known, 2] - boxes[known, 0]) * _MAX_SHIFT, 0, 1)
    first, end = np.searchsorted(keys, wanted - reach), np.searchsorted(keys, wanted + reach, "right")
    ends = np.cumsum(end - first)
    start = 0
    while start < len(known):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK_PAIRS, "right")))
        second = np.repeat(np.arange(start, stop), (end - first)[start:stop])
        place = np.arange(len(second)) - (ends - (end - first) - done)[second]
        yield known[first[second] + place], known[second]
        start = stop


def _compare_faces(
    faces: FaceTable, photo_of: Indices, turn: int, i: Indices, j: Indices
) -> tuple[Indices, Indices, Float32, Float32]:
    """Return those of the pairs that are one face on two photos, with their overlap and distance."""
    different = photo_of[i] != photo_of[j] if turn == 1 else photo_of[i] < photo_of[j]  # other turns are symmetric
    cameras = faces.shots[:, 0]  # each number stands for one camera at one moment
    kept = different & ((cameras[i] < 0) | (cameras[j] < 0) | (cameras[i] == cameras[j]))
    i, j = i[kept], j[kept]
    overlap = paired_intersection_over_union(faces.boxes[i], turn_boxes(faces.boxes[j], turn))
    kept = overlap >= _MIN_BOX_IOU
    i, j, overlap = i[kept], j[kept], overlap[kept]
    distance = ((faces.embeddings[i] - faces.embeddings[j]) ** 2).sum(axis=1)
    kept = distance <= _MAX_DISTANCE
    return i[kept], j[kept], overlap[kept], distance[kept]


def _pair_photos(
    photo_of: Indices, face_counts: NDArray[np.intp], i: Indices, j: Indices, overlap: Float32, distance: Float32
) -> PicturePairs:
    """Return the pairs of photos, lower first, of which every face of the one with fewer faces is matched."""
    photos = np.stack([photo_of[i], photo_of[j]], axis=1)
    pairs, pair_of = np.unique(photos, axis=0, return_inverse=True)
    matched = [np.bincount(np.unique(np.stack([pair_of, side]), axis=1)[0], minlength=len(pairs)) for side in (i, j)]
    complete = np.minimum(*matched) >= face_counts[pairs].min(axis=1)
    lowest, highest = np.ones(len(pairs), np.float32), np.zeros(len(pairs), np.float32)
    np.minimum.at(lowest, pair_of, overlap)
    np.maximum.at(highest, pair_of, distance)
    return PicturePairs(np.sort(pairs[complete], axis=1), lowest[complete], highest[complete])
