"""Embed the faces that the user drew on a photo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from faceclust.photos.colour import convert_to_srgb
from faceclust.photos.face_ids import face_id
from faceclust.types import Box, DrawnFace, Float32, Photo, ScannedPhoto
from faceclust.vision.pipeline import FacePipeline
from faceclust.vision.quarter_turns import turn_back

#: Quality below which a face whose landmarks are unknown is not compared. Of 6 such faces above it, the nearest of
#: 60 people was the right one for 5; of 261 below it, for 79, and only 4 were within 1.1 of another photo of the
#: person. Faces of Labeled Faces in the Wild, covered, blurred or darkened (tests/benchmarks/drawn_boxes.py).
MIN_QUALITY_OF_BOX = 0.5


class _DrawnResult(NamedTuple):
    """The landmarks (5, 2) in fractions, score, quality and embedding (d,) of one drawn face."""

    landmarks: Float32
    score: float
    quality: float
    embedding: Float32


def needed_long_side(drawn: Sequence[DrawnFace], chip_size: tuple[int, int]) -> int:
    """Return the longer side of a photo, in pixels, with enough pixels for the chips of these faces."""
    smallest = min(max(right - left, bottom - top) for left, top, right, bottom in (face.box for face in drawn))
    return math.ceil(max(chip_size) / max(smallest, 1e-3))


def embed_drawn_faces(photo: Photo, drawn: Sequence[DrawnFace], analyser: FacePipeline) -> ScannedPhoto:
    """Return these faces of a decoded photo, in order. Their boxes stay as they were drawn.

    A face is not compared (`ScannedPhoto.uncompared`) if it has no box, if the embedder finds no direction for it,
    or if no landmarks are found in a box of low quality.
    """
    dimension = analyser.pack.embedder.dimension
    nothing = _DrawnResult(np.zeros((5, 2), np.float32), 0.0, 0.0, np.zeros(dimension, np.float32))
    results = [None if face.is_whole_photo else _embed_box(photo, face.box, analyser) for face in drawn]
    rows = [result or nothing for result in results]
    # Computed again, because a face may have been drawn before the photo was edited.
    ids = [face.face_id if face.is_whole_photo else face_id(photo.content_hash, face.box) for face in drawn]
    return ScannedPhoto(
        ref=photo.ref,
        content_hash=photo.content_hash,
        full_size=photo.full_size,
        metadata=photo.metadata,
        face_ids=tuple(ids),
        boxes=np.array([face.box for face in drawn], np.float32),
        landmarks=np.stack([row.landmarks for row in rows]),
        scores=np.array([row.score for row in rows], np.float32),
        quality=np.array([row.quality for row in rows], np.float32),
        embeddings=np.stack([row.embedding for row in rows]),
        by_hand=frozenset(ids),
        uncompared=frozenset(id for id, result in zip(ids, results, strict=True) if result is None),
    )


def _embed_box(photo: Photo, box: Box, analyser: FacePipeline) -> _DrawnResult | None:
    """Return None if the face cannot be compared."""
    size = photo.pixels.shape[1], photo.pixels.shape[0]
    left, top, right, bottom = (side * size[corner % 2] for corner, side in enumerate(box))
    turn, found = analyser.detect_in_box(photo.pixels, (left, top, right, bottom))
    pixels, has_landmarks = np.rot90(photo.pixels, turn), bool(found.scores[0] > 0)
    if has_landmarks:
        found = analyser.refine(pixels, found)
    chips = convert_to_srgb(analyser.align(pixels, found), photo.icc_profile)
    ((_, embeddings, quality, _, _),) = analyser.embed([found], [chips], are_faces=True)
    if not len(quality) or not (has_landmarks or quality[0] >= MIN_QUALITY_OF_BOX):
        return None
    landmarks = turn_back(found, turn, size).landmarks[0] / np.array(size, np.float32)
    return _DrawnResult(landmarks, float(np.clip(found.scores[0], 0, 1)), float(quality[0]), embeddings[0])
