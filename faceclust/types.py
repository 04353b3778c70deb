"""The values that cross a boundary between two stages. Numpy only; checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.conventions import EXTRA_MODULES

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]


def check_array(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: type | str) -> None:
    """Raise ValueError unless `array` has this dtype and shape (None: any size)."""
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.dtype(dtype):
        wanted = tuple("any" if size is None else size for size in shape)
        raise ValueError(
            f"{name}: expected {np.dtype(dtype)} of shape {wanted}, got {array.dtype} of shape {array.shape}"
        )


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
    """A decoded photo, upright. `pixels` may be a reduced copy of `full_size` (width, height)."""

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
EXTRAS = {SkipReason.NEEDS_RAW: EXTRA_MODULES["raw"], SkipReason.NEEDS_JXL: EXTRA_MODULES["jxl"]}
_EXTRAS_THERE = {reason for reason, module in EXTRAS.items() if find_spec(module)}
#: Reasons that lie with the moment, or with an extra that has come since: the next scan tries again.
PASSING_REASONS = frozenset({SkipReason.OUT_OF_MEMORY, SkipReason.UNREADABLE}) | _EXTRAS_THERE


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


@dataclass(frozen=True)
class FaceTable:
    """Every distinct face of a library, sorted by face id. A photo kept in two places has its
    faces here once: a face id is made of the photo's content and the face's place in it.

    `photo_ids` are content hashes; `taken_at` is datetime64[s], NaT where unknown. `boxes` are
    fractions of the upright photo. `shots` (n, 2) int64 are numbers that photos share which were
    taken in one moment, and which are versions of one file; −1 where that is not known.
    """

    face_ids: NDArray[np.str_]
    photo_ids: NDArray[np.str_]
    embeddings: Float32
    quality: Float32
    taken_at: NDArray[np.datetime64]
    boxes: Float32
    shots: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        for name in ("photo_ids", "quality", "taken_at"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name}: expected shape ({n},), got {getattr(self, name).shape}")
        check_array("embeddings", self.embeddings, (n, None), np.float32)
        if not np.isfinite(self.embeddings.sum(dtype=np.float64)):
            raise ValueError("embeddings: expected finite numbers")
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("shots", self.shots, (n, 2), np.int64)
        if n > 1 and not (self.face_ids[:-1] < self.face_ids[1:]).all():
            raise ValueError("face_ids: expected distinct ids in rising order")

    def __len__(self) -> int:
        return len(self.face_ids)


@dataclass(frozen=True)
class ClusterParams:
    """How a clustering was made; kept with it."""

    algorithm: str = "average"
    threshold: float = 1.1
    min_size: int = 2
    min_samples: int = 1  # hdbscan
    second_pass: bool = True  # average
    allow_same_photo: bool = False


@dataclass(frozen=True)
class Clustering:
    """A label for each face: the number of its group; −1 is a face alone. `strength` in 0..1 says
    how near the face is to its group's centre. `models`: what the embeddings were made with.
    `parts`: what its group is made of apart from what the user linked (see `cluster.parts`), −1
    for a face alone in that. `whole`: how many faces there were when all were last grouped anew.
    `highest`: the highest number a group has ever had."""

    face_ids: NDArray[np.str_]
    labels: NDArray[np.int32]
    strength: Float32
    parts: NDArray[np.int32]
    params: ClusterParams = field(default_factory=ClusterParams)
    models: str = ""
    whole: int = 0
    highest: int = 0

    def __post_init__(self) -> None:
        n = len(self.face_ids)
        check_array("labels", self.labels, (n,), np.int32)
        check_array("strength", self.strength, (n,), np.float32)
        check_array("parts", self.parts, (n,), np.int32)

    def among(self, face_ids: NDArray[np.str_]) -> Clustering:
        """The part of it that is about these faces."""
        some = np.isin(self.face_ids, face_ids)
        columns = {name: getattr(self, name)[some] for name in ("face_ids", "labels", "strength", "parts")}
        return replace(self, **columns)

    @property
    def group_count(self) -> int:
        return len(np.unique(self.labels[self.labels >= 0]))


@dataclass(frozen=True)
class FacePlace:
    """One face on one photo of the library, where outputs and the journal need to find it."""

    face_id: str
    photo: str
    photo_hash: str
    box: tuple[float, float, float, float]
    photo_size: tuple[int, int]
    quality: float
    score: float
    taken_at: datetime | None

    @property
    def pixel_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels of the upright photo."""
        width, height = self.photo_size
        left, top, right, bottom = self.box
        return round(left * width), round(top * height), round(right * width), round(bottom * height)


@dataclass(frozen=True)
class Person:
    """A named person, or a group nobody has named yet (`name` is None).

    `confirmed` are the faces the user was shown, or pointed at, when giving the name; the
    other faces came with the group. `clusters` are the numbers of the groups they lie in.
    """

    id: str
    name: str | None
    face_ids: tuple[str, ...]
    confirmed: frozenset[str]
    clusters: tuple[int, ...]
    ignored: bool = False

    @property
    def label(self) -> str:
        """The name, or "group 12"."""
        return self.name or f"group {self.clusters[0]}"
