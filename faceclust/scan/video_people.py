"""Follow the people in the sampled frames of a video."""

from __future__ import annotations

import itertools

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.linkage import agglomerate
from faceclust.types import OPERATING_POINT, SAME_FACE_OVERLAP, Float32, Indices, paired_intersection_over_union


def group_people(frames: Indices, boxes: Float32, embeddings: Float32) -> Indices:
    """Return the person of each face of a video, (n,) int64, named by the first face.

    `frames` (n,) number the frames, in ascending order. `boxes` (n, 4) are fractions of the frame. Faces at the same
    place of successive frames that are alike are one person, as somebody who turns the head away. Such tracks, and
    single faces, are joined by average linkage up to the operating point. The faces of a frame are different people.
    """
    if not len(frames):
        return np.empty(0, np.int64)
    in_frame = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames)) + 1)
    tracks = _follow_boxes(in_frame, frames, boxes, embeddings)
    crowds = [faces for faces in in_frame if len(faces) > 1]
    return agglomerate(embeddings, OPERATING_POINT, "average", Constraints(tracks, crowds))


def _follow_boxes(in_frame: list[Indices], frames: Indices, boxes: Float32, embeddings: Float32) -> list[Indices]:
    """Return the tracks of several faces. `in_frame`: the faces of each frame that has any."""
    track_of = np.arange(len(boxes))
    for before, after in itertools.pairwise(in_frame):
        if frames[after[0]] != frames[before[0]] + 1:
            continue
        linked: set[int] = set()
        for one, other in _alike_pairs(before, after, boxes, embeddings):
            if one not in linked and other not in linked:  # faces of two frames have different positions
                linked |= {one, other}
                track_of[other] = track_of[one]
    tracks = (np.flatnonzero(track_of == name) for name in np.unique(track_of))
    return [track for track in tracks if len(track) > 1]


def _alike_pairs(before: Indices, after: Indices, boxes: Float32, embeddings: Float32) -> list[tuple[int, int]]:
    """Return pairs of faces of two frames with overlapping boxes, up to the operating point, the nearest first."""
    some, others = (grid.ravel() for grid in np.meshgrid(before, after, indexing="ij"))
    overlaps = paired_intersection_over_union(boxes[some], boxes[others])
    distances = ((embeddings[some] - embeddings[others]) ** 2).sum(axis=1)
    order = np.lexsort((others, some, distances))
    kept = order[(overlaps[order] >= SAME_FACE_OVERLAP) & (distances[order] <= OPERATING_POINT)]
    return list(zip(some[kept].tolist(), others[kept].tolist(), strict=True))


def choose_best_faces(people: Indices, quality: Float32, per_person: int, in_all: int) -> tuple[Indices, Indices]:
    """Return the positions of the best faces of each person, ascending, and of each the frames with the person.

    Of more than `in_all` faces, those of people in the most frames are kept. Ties: by position.
    """
    _, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    order = np.lexsort((-quality, person))
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - starts[person[order]]
    best = np.flatnonzero(rank < per_person)
    seen = counts[person]
    if len(best) > in_all:
        best = np.sort(best[np.lexsort((best, -quality[best], -seen[best]))][:in_all])
    return best, seen[best]
