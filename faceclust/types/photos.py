"""A photo on its way from the disk to its row in a cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from faceclust.files.names import EXTRA_MODULES
from faceclust.types.arrays import Float32, UInt8, check_array


@dataclass(frozen=True, order=True)
class PhotoRef:
    """A photo file as the crawler saw it. `rel_path` is a POSIX path below the library's root."""

    rel_path: str
    size: int
    mtime_ns: int

    @property
    def folder(self) -> str:
        """POSIX path of the folder below the root, "" for the root itself."""
        return self.rel_path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.rel_path.rpartition("/")[2]


@dataclass(frozen=True)
class Metadata:
    """What the camera wrote. `taken_at` is local camera time, without a zone."""

    taken_at: datetime | None = None
    camera: str | None = None
    orientation: int | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright. `pixels` may be a reduced copy of `installed_size` (width, height)."""

    ref: PhotoRef
    content_hash: str
    pixels: UInt8
    full_size: tuple[int, int]
    metadata: Metadata

    def __post_init__(self) -> None:
        check_array("pixels", self.pixels, (None, None, 3), np.uint8)

    @property
    def is_full_size(self) -> bool:
        return (self.pixels.shape[1], self.pixels.shape[0]) == self.full_size

    def without_pixels(self) -> Photo:
        """All but the pixels, whose memory can go."""
        return replace(self, pixels=np.empty((0, 0, 3), np.uint8))


@dataclass(frozen=True)
class Detections:
    """Faces found in one picture, in its pixels: boxes (n, 4) as left, top, right, bottom;
    scores (n,) in 0..1; landmarks (n, 5, 2) as x, y of the eye on the picture's left, the
    other eye, nose tip, mouth corner on the left, the other corner. n = 0 is valid."""

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
        """These faces only, in this order."""
        return Detections(self.boxes[indices], self.scores[indices], self.landmarks[indices])

    def scaled(self, factor: float) -> Detections:
        """The same faces in a picture `factor` times as large."""
        f = np.float32(factor)
        return Detections(self.boxes * f, self.scores, self.landmarks * f)


class SkipReason(StrEnum):
    """Why a photo was passed by. The value is what users read and what the cache holds."""

    EMPTY = "empty file"
    TRUNCATED = "truncated file"
    NOT_A_PHOTO = "not a photo"
    TOO_LARGE = "too large"
    TOO_SMALL = "too small"
    NEEDS_RAW = "needs faceclust[raw]"
    NEEDS_JXL = "needs faceclust[jxl]"
    OUT_OF_MEMORY = "not enough memory"
    UNREADABLE = "cannot be read"
    BAD_NAME = "name is not UTF-8"
    CRASHED = "decoder crashed"
    TOO_SLOW = "took too long"
    FAILED = "failed"


#: What the optional extras bring, by the reason given without it.
EXTRA_MODULE_BY_REASON = {SkipReason.NEEDS_RAW: EXTRA_MODULES["raw"], SkipReason.NEEDS_JXL: EXTRA_MODULES["jxl"]}
_REASONS_RESOLVED_BY_EXTRAS = {reason for reason, module in EXTRA_MODULE_BY_REASON.items() if find_spec(module)}
#: Reasons that lie with the moment, or with an extra that has come since: the next scan tries again.
TRANSIENT_REASONS = frozenset({SkipReason.OUT_OF_MEMORY, SkipReason.UNREADABLE}) | _REASONS_RESOLVED_BY_EXTRAS


@dataclass(frozen=True)
class SkippedPhoto:
    """A photo that could not be used: a value, not an exception, and a row in the cache."""

    ref: PhotoRef
    reason: SkipReason
    detail: str


@dataclass(frozen=True)
class ScannedPhoto:
    """One photo's faces. Boxes and landmarks are fractions of the upright photo's width and
    height; embeddings are float32 (n, d) of the pack's radius. Of the faces in `forgotten` (ids)
    only the place is kept. `min_face`: px of the photo's smallest face looked for, None where that
    is not known."""

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

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("landmarks", self.landmarks, (n, 5, 2), np.float32)
        check_array("scores", self.scores, (n,), np.float32)
        check_array("quality", self.quality, (n,), np.float32)
        check_array("embeddings", self.embeddings, (n, None), np.float32)
        if not np.isfinite(self.embeddings).all():
            raise ValueError("embeddings: expected finite numbers")
