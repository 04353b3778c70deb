"""One photo, all of it: read → decode → detect → align → embed. Runs in a worker."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faceclust.packs.manifest import Pack
from faceclust.photos.decode import MAX_BYTES, UndecodableError, decode_photo
from faceclust.types import (
    Detections,
    Float32,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
)
from faceclust.vision.analyse import FaceAnalyser
from faceclust.vision.quality import face_quality


@dataclass(frozen=True)
class Examined:
    """What became of a photo, and the seconds each stage took."""

    photo: ScannedPhoto | SkippedPhoto
    seconds: dict[str, float] = field(default_factory=dict)


class PhotoExaminer:
    """Holds a pack's opened models; call it with one photo after the other, or its two steps.
    Neither raises for a bad photo: the failure is a `SkippedPhoto`."""

    def __init__(self, root: Path, pack: Pack) -> None:
        self._root, self._pack = root, pack
        self._analyser = FaceAnalyser(pack)

    def __call__(self, ref: PhotoRef) -> Examined:
        return self.work(ref, self.prepare(ref))

    def prepare(self, ref: PhotoRef) -> bytes | SkippedPhoto:
        """Read the photo's file."""
        try:
            ref.rel_path.encode()
        except UnicodeEncodeError:
            return SkippedPhoto(ref, SkipReason.BAD_NAME, "rename the file to have it scanned")
        if ref.size > MAX_BYTES:
            return SkippedPhoto(ref, SkipReason.TOO_LARGE, f"{ref.size:,} bytes")
        try:
            return (self._root / ref.rel_path).read_bytes()
        except Exception as error:
            return _skipped(ref, error)

    def work(self, ref: PhotoRef, prepared: bytes | SkippedPhoto) -> Examined:
        """Everything else."""
        if isinstance(prepared, SkippedPhoto):
            return Examined(prepared)
        clock = _Clock()
        try:
            return Examined(self._examine(ref, prepared, clock), clock.seconds)
        except Exception as error:  # one bad photo never stops a scan
            return Examined(_skipped(ref, error), clock.seconds)

    def _examine(self, ref: PhotoRef, data: bytes, clock: _Clock) -> ScannedPhoto:
        photo = decode_photo(data, ref, at_least=self._pack.detector.long_side)
        clock.lap("decode")
        found = self._analyser.detect(photo.pixels)
        clock.lap("detect")
        photo, found = self._sharpen(photo, found, data)
        clock.lap("decode")
        found, embeddings = self._analyser.embed(photo.pixels, found)
        clock.lap("embed")
        return self._scanned(photo, found, embeddings)

    def _sharpen(self, photo: Photo, found: Detections, data: bytes) -> tuple[Photo, Detections]:
        """Decode again, larger, where a chip would have to be blown up from reduced pixels."""
        blow_up = self._analyser.chip_scales(found).max(initial=0.0)
        if photo.is_full_size or blow_up <= 1:
            return photo, found
        before = max(photo.pixels.shape)
        sharper = decode_photo(data, photo.ref, at_least=math.ceil(before * blow_up))
        return sharper, found.scaled(max(sharper.pixels.shape) / before)

    def _scanned(self, photo: Photo, found: Detections, embeddings: Float32) -> ScannedPhoto:
        height, width = photo.pixels.shape[:2]
        extent = np.array([width, height], np.float32)
        boxes = np.clip(found.boxes / np.tile(extent, 2), 0, 1).astype(np.float32)
        return ScannedPhoto(
            ref=photo.ref,
            content_hash=photo.content_hash,
            full_size=photo.full_size,
            metadata=photo.metadata,
            face_ids=tuple(face_id(photo.content_hash, box) for box in boxes),
            boxes=boxes,
            landmarks=(found.landmarks / extent).astype(np.float32),
            scores=found.scores,
            quality=face_quality(found, self._analyser.chip_scales(found)),
            embeddings=embeddings,
        )


def _skipped(ref: PhotoRef, error: Exception) -> SkippedPhoto:
    if isinstance(error, UndecodableError):
        return SkippedPhoto(ref, error.reason, str(error))
    if isinstance(error, OSError):
        return SkippedPhoto(ref, SkipReason.UNREADABLE, error.strerror or str(error))
    # ONNX Runtime has no exception of its own for want of memory.
    if isinstance(error, MemoryError) or any(words in str(error) for words in ("Failed to allocate", "bad_alloc")):
        return SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, "it could not be worked on")
    return SkippedPhoto(ref, SkipReason.FAILED, f"{type(error).__name__}: {error}")


def face_id(photo_hash: str, box: Float32) -> str:
    """16 hex digits that stay with a face wherever its photo goes: BLAKE2b of the photo's
    content hash and the box (fractions of width and height) in thousandths."""
    corners = ",".join(str(round(float(side) * 1000)) for side in box)
    return hashlib.blake2b(f"{photo_hash}:{corners}".encode(), digest_size=8).hexdigest()


class _Clock:
    """Seconds of processor time of this process, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
