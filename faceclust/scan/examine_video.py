"""Find the faces in the sampled frames of a video, and keep the best ones of each person."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path

import numpy as np

from faceclust.photos.embedded_metadata import EmbeddedMetadata
from faceclust.photos.errors import UndecodableError
from faceclust.photos.face_ids import face_id
from faceclust.photos.videos import Video, open_video
from faceclust.scan.photo_dates import add_date
from faceclust.scan.video_people import choose_best_faces, group_people
from faceclust.text.dates import parse_name_date
from faceclust.types import FaceFrame, Float32, Metadata, PhotoRef, ScannedPhoto, SkipReason, UInt8
from faceclust.vision.pipeline import FacePipeline

#: Faces kept of each person in a video, in all, and compared of one frame.
FACES_PER_PERSON, MAX_FACES, _MAX_FACES_PER_FRAME = 3, 1000, 50
#: The largest difference of a time zone from UTC, in whole hours.
_MAX_ZONE = timedelta(hours=14)


@dataclass(frozen=True)
class _FrameFaces:
    """The faces of one frame. `boxes` (n, 4) and `landmarks` (n, 5, 2) are fractions of the upright frame."""

    time: float
    size: tuple[int, int]
    boxes: Float32
    landmarks: Float32
    scores: Float32
    quality: Float32
    embeddings: Float32


def examine_video(
    path: Path,
    ref: PhotoRef,
    content_hash: str,
    analyser: FacePipeline,
    smallest_face: Callable[[tuple[int, int]], float],
    lap: Callable[[str], None],
) -> ScannedPhoto:
    """Return the best faces of each person in a video, in the order of the frames.

    `smallest_face` returns the width of the smallest face to look for in a picture of this size (width, height), in
    pixels. `lap` is called with the name of each stage that ends. Raises OSError, UndecodableError.
    """
    with open_video(path) as video:
        frames = list(_iter_frame_faces(video, analyser, smallest_face, lap))
        metadata = video.metadata
    if not frames:
        raise UndecodableError(SkipReason.TRUNCATED, "no frame of it can be decoded")
    metadata = replace(_add_video_date(metadata, path), orientation=1)
    return _keep_best(frames, ref, content_hash, metadata, math.ceil(smallest_face(frames[0].size)))


def _iter_frame_faces(
    video: Video, analyser: FacePipeline, smallest_face: Callable[[tuple[int, int]], float], lap: Callable[[str], None]
) -> Iterator[_FrameFaces]:
    for frame in video.sample_frames():
        lap("decode")
        height, width = frame.pixels.shape[:2]
        yield _find_faces(frame.time, frame.pixels, analyser, smallest_face((width, height)), lap)


def _find_faces(
    moment: float, pixels: UInt8, analyser: FacePipeline, smallest_face: float, lap: Callable[[str], None]
) -> _FrameFaces:
    found = analyser.detect(pixels, smallest_face)
    if len(found) > _MAX_FACES_PER_FRAME:
        found = found.take(np.sort(np.argsort(-found.scores, kind="stable")[:_MAX_FACES_PER_FRAME]))
    found = analyser.refine(pixels, found)
    lap("detect")
    (faces,) = analyser.embed([found], [analyser.align(pixels, found)])
    lap("embed")
    height, width = pixels.shape[:2]
    size = np.array([width, height], np.float32)
    return _FrameFaces(
        moment,
        (width, height),
        np.clip(faces.detections.boxes / np.tile(size, 2), 0, 1).astype(np.float32),
        (faces.detections.landmarks / size).astype(np.float32),
        np.clip(faces.detections.scores, 0, 1),
        faces.quality,
        faces.embeddings,
    )


def _keep_best(
    frames: list[_FrameFaces], ref: PhotoRef, content_hash: str, metadata: Metadata, min_face: int
) -> ScannedPhoto:
    numbers = np.repeat(np.arange(len(frames)), [len(frame.boxes) for frame in frames])
    boxes, landmarks, scores, quality, embeddings = (
        np.concatenate([getattr(frame, name) for frame in frames])
        for name in ("boxes", "landmarks", "scores", "quality", "embeddings")
    )
    people = group_people(numbers, boxes, embeddings)
    best, seen = choose_best_faces(people, quality, FACES_PER_PERSON, MAX_FACES)
    times = [frames[number].time for number in numbers[best].tolist()]
    ids = [face_id(content_hash, box, moment) for box, moment in zip(boxes[best], times, strict=True)]
    _, distinct = np.unique(np.array(ids, np.str_), return_index=True)
    kept = np.sort(distinct)  # the boxes of two faces may differ by less than an id does
    best, ids = best[kept], [ids[row] for row in kept.tolist()]
    face_frames = (FaceFrame(times[row], int(seen[row])) for row in kept.tolist())
    return ScannedPhoto(
        ref=ref,
        content_hash=content_hash,
        full_size=frames[0].size,
        metadata=metadata,
        face_ids=tuple(ids),
        boxes=boxes[best],
        landmarks=landmarks[best],
        scores=scores[best],
        quality=quality[best],
        embeddings=embeddings[best],
        min_face=min_face,
        frames=dict(zip(ids, face_frames, strict=True)),
        frame_count=len(frames),
    )


def _add_video_date(metadata: Metadata, path: Path) -> Metadata:
    """Return the metadata with the local time of the recording, as near as it is known.

    The date of a container is usually UTC. A file name with the same moment in another time zone has local time.
    """
    named = parse_name_date(path.name)
    has_time = named is not None and named.time() != time.min
    if metadata.taken_at and named and has_time and abs(named - metadata.taken_at) <= _MAX_ZONE:
        return replace(metadata, taken_at=named, taken_at_source="name")
    return add_date(metadata, path, EmbeddedMetadata)
