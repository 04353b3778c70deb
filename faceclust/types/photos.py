"""A photo at each stage from the crawl to its row in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.files.names import EXTRA_MODULES
from faceclust.types.arrays import Float32, UInt8, check_array
from faceclust.types.frames import FaceFrame


@dataclass(frozen=True, order=True)
class PhotoRef:
    """A photo file found by the crawler. `rel_path` is a POSIX path below the library's root, or the absolute one
    of a photo on an additional root. `size` is in bytes."""

    rel_path: str
    size: int
    mtime_ns: int

    @property
    def folder(self) -> str:
        """The POSIX path of its folder below the root; "" for the root itself."""
        return self.rel_path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.rel_path.rpartition("/")[2]


#: The sources of a photo's date, the preferred one first: its EXIF, the sidecar beside it, its XMP, IPTC and PNG
#: text, the file's name, and the JSON of Google Takeout beside it, whose time zone is a guess.
#: A video has its date in its container.
DATE_SOURCES = ("exif", "video", "sidecar", "xmp", "iptc", "png", "name", "takeout")


@dataclass(frozen=True)
class Metadata:
    """Metadata of a photo. `taken_at` is local camera time without a time zone, and `taken_at_source` where it
    was found, one of DATE_SOURCES. `orientation` is the EXIF orientation that turned the stored picture
    upright. `latitude` and `longitude` are degrees north and east."""

    taken_at: datetime | None = None
    camera: str | None = None
    orientation: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    taken_at_source: str | None = None


@dataclass(frozen=True)
class Photo:
    """A decoded, upright photo. `pixels` are uint8 RGB (h, w, 3), possibly reduced from `full_size`
    (width, height). `icc_profile`: the profile of the pixels' colours, None if they are sRGB."""

    ref: PhotoRef
    content_hash: str
    pixels: UInt8
    full_size: tuple[int, int]
    metadata: Metadata
    icc_profile: bytes | None = None

    def __post_init__(self) -> None:
        check_array("pixels", self.pixels, (None, None, 3), np.uint8)

    @property
    def is_full_size(self) -> bool:
        return (self.pixels.shape[1], self.pixels.shape[0]) == self.full_size

    def without_pixels(self) -> Photo:
        """Return the photo without its pixels, so that their memory can be freed."""
        return replace(self, pixels=np.empty((0, 0, 3), np.uint8))


@dataclass(frozen=True)
class Detections:
    """Faces detected in one picture, float32, in pixels. n = 0 is valid.

    `boxes` (n, 4) are left, top, right, bottom; `scores` (n,) are 0 to 1. `landmarks` (n, 5, 2)
    are x and y of five points: the eye on the left of the upright face, the other eye, the tip of
    the nose, the left corner of the mouth and the right one.
    """

    boxes: Float32
    scores: Float32
    landmarks: Float32

    def __post_init__(self) -> None:
        n = len(self.boxes)
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("scores", self.scores, (n,), np.float32)
        check_array("landmarks", self.landmarks, (n, 5, 2), np.float32)

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, indices: NDArray[np.intp]) -> Detections:
        """Return the faces at these indices, in this order."""
        return Detections(self.boxes[indices], self.scores[indices], self.landmarks[indices])

    def scaled(self, factor: float) -> Detections:
        """Return the faces in a picture that is `factor` times as large."""
        scale = np.float32(factor)
        return Detections(self.boxes * scale, self.scores, self.landmarks * scale)


def join_detections(parts: Sequence[Detections]) -> Detections:
    """Return the faces of one or more detections of a picture, one after the other."""
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in _DETECTION_ARRAYS))


_DETECTION_ARRAYS = ("boxes", "scores", "landmarks")


class SkipReason(StrEnum):
    """The reason a photo was skipped. Its value is shown to users and stored in the cache."""

    EMPTY = "empty file"
    TRUNCATED = "truncated file"
    NOT_A_PHOTO = "not a photo"
    TOO_LARGE = "too large"
    TOO_SMALL = "too small"
    NEEDS_RAW = "needs faceclust[raw]"
    NEEDS_JXL = "needs faceclust[jxl]"
    NEEDS_VIDEO = "needs faceclust[video]"
    NOT_A_VIDEO = "not a video"
    OUT_OF_MEMORY = "not enough memory"
    UNREADABLE = "cannot be read"
    BAD_NAME = "name is not UTF-8"
    CRASHED = "decoder crashed"
    TOO_SLOW = "took too long"
    FAILED = "failed"


#: The module that an optional extra installs, by the skip reason it resolves.
EXTRA_MODULE_BY_REASON = {
    SkipReason.NEEDS_RAW: EXTRA_MODULES["raw"],
    SkipReason.NEEDS_JXL: EXTRA_MODULES["jxl"],
    SkipReason.NEEDS_VIDEO: EXTRA_MODULES["video"],
}
_REASONS_RESOLVED_BY_EXTRAS = {reason for reason, module in EXTRA_MODULE_BY_REASON.items() if find_spec(module)}
#: Reasons that may be gone at the next scan, which tries these photos again: temporary failures, and
#: missing extras that have been installed since.
TRANSIENT_REASONS = frozenset({SkipReason.OUT_OF_MEMORY, SkipReason.UNREADABLE}) | _REASONS_RESOLVED_BY_EXTRAS


@dataclass(frozen=True)
class SkippedPhoto:
    """A photo that could not be used. It is a value, not an exception, and a row in the cache."""

    ref: PhotoRef
    reason: SkipReason
    detail: str


@dataclass(frozen=True)
class ScannedPhoto:
    """The faces of one photo.

    `boxes` (n, 4) and `landmarks` (n, 5, 2) are fractions of the upright photo's width and height.
    `embeddings` are float32 (n, d), with the pack's radius as norm. Only the boxes are kept of the
    faces in `forgotten` (ids). The user drew the boxes of the faces in `by_hand`; those of them in
    `uncompared` cannot be compared with others: their quality is 0, and their landmarks and embeddings
    mean nothing. `min_face` is the size in px of the smallest face the scan searched for, None if unknown.
    `frames` has the frame of each face of a video, by id. It is empty for a photo. `frame_count`: frames of a video
    that this scan looked at.
    """

    ref: PhotoRef
    content_hash: str
    full_size: tuple[int, int]
    metadata: Metadata
    face_ids: tuple[str, ...]
    boxes: Float32
    landmarks: Float32
    scores: Float32
    quality: Float32
    embeddings: Float32
    forgotten: frozenset[str] = frozenset()
    min_face: int | None = None
    by_hand: frozenset[str] = frozenset()
    uncompared: frozenset[str] = frozenset()
    frames: Mapping[str, FaceFrame] = field(default_factory=dict)
    frame_count: int = 0

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("landmarks", self.landmarks, (n, 5, 2), np.float32)
        check_array("scores", self.scores, (n,), np.float32)
        check_array("quality", self.quality, (n,), np.float32)
        check_array("embeddings", self.embeddings, (n, None), np.float32)
        if not np.isfinite(self.embeddings).all():
            raise ValueError("embeddings: expected finite numbers")
        if not self.uncompared <= self.by_hand:
            raise ValueError("uncompared: expected faces drawn by hand")
        if self.frames and self.frames.keys() != set(self.face_ids):
            raise ValueError("frames: expected one for each face")

    def take(self, indices: Sequence[int] | NDArray[np.intp]) -> ScannedPhoto:
        """Return the photo with the faces at these indices, in this order."""
        rows = np.asarray(indices, np.intp)
        ids = tuple(self.face_ids[row] for row in rows)
        changes: dict[str, Any] = {name: getattr(self, name)[rows] for name in _FACE_ARRAYS}
        changes |= {name: getattr(self, name) & frozenset(ids) for name in _FACE_MARKS}
        frames = {id: self.frames[id] for id in ids if id in self.frames}
        return replace(self, face_ids=ids, frames=frames, **changes)

    def with_faces_of(self, other: ScannedPhoto) -> ScannedPhoto:
        """Return the photo with those faces of `other`, a result of the same content, that it lacks (by id)."""
        known = set(self.face_ids)
        added = other.take([row for row, face in enumerate(other.face_ids) if face not in known])
        both = ((name, getattr(self, name), getattr(added, name)) for name in (*_FACE_ARRAYS, *_FACE_MARKS))
        changes: dict[str, Any] = {
            name: one | other if name in _FACE_MARKS else np.concatenate([one, other]) for name, one, other in both
        }
        frames = {**self.frames, **added.frames}
        return replace(self, face_ids=self.face_ids + added.face_ids, frames=frames, **changes)


_FACE_ARRAYS = ("boxes", "landmarks", "scores", "quality", "embeddings")
_FACE_MARKS = ("forgotten", "by_hand", "uncompared")
