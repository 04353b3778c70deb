"""Photos, all the way: read → decode → detect → align → embed. Runs in a worker."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faceclust.errors import PackError, UsageError
from faceclust.packs.pack import Pack
from faceclust.photos.decode import UndecodableError, decode_photo
from faceclust.photos.face_ids import content_hash, face_id
from faceclust.photos.reading import read_photo
from faceclust.types import (
    Detections,
    Float32,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
    UInt8,
)
from faceclust.vision.pipeline import EmbeddedFaces, FaceAnalyser


@dataclass(frozen=True)
class Look:
    """How photos are looked at: by which models, on which device (see `packs.session`), and from
    which width of a face in pixels of the photo on (None: by the photo's size)."""

    pack: Pack
    device: str = "cpu"
    min_face: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for a senseless width."""
        if self.min_face is not None and not 10 <= self.min_face <= 30_000:
            raise UsageError(
                f"faces {self.min_face} pixels wide cannot be looked for", hint="choose 10 to 30,000 pixels"
            )

    def smallest(self, long_side: int) -> float:
        """The smallest face looked for in a photo whose longer side is `long_side` pixels."""
        return self.min_face or self.pack.detector.min_face(long_side)

    def is_enough(self, min_face: int | None, long_side: int) -> bool:
        """Whether a photo needs no other look, in which faces from `min_face` pixels on were looked
        for (None: that is not known)."""
        if min_face is None:
            return self.min_face is None
        return min_face <= math.ceil(self.smallest(long_side))


@dataclass(frozen=True)
class Task:
    """A photo to examine. Of a photo with one of these contents all is `known` already."""

    ref: PhotoRef
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class KnownPhoto:
    """A photo whose content is that of one whose faces are known."""

    ref: PhotoRef
    content_hash: str


@dataclass(frozen=True)
class Examined:
    """What became of a photo, and the processor seconds each stage took. `unusable` faces were left
    out, of which the models gave nothing to tell them by."""

    photo: ScannedPhoto | SkippedPhoto | KnownPhoto
    seconds: dict[str, float] = field(default_factory=dict)
    unusable: int = 0


@dataclass(frozen=True)
class _Seen:
    """A photo's faces, cut out; its pixels are no longer needed."""

    photo: Photo
    extent: Float32
    found: Detections
    chips: UInt8


class PhotoExaminer:
    """Holds a pack's opened models. Takes photos in batches, in two steps; a bad photo does not
    raise in either: the failure is a `SkippedPhoto`."""

    def __init__(self, root: Path, look: Look) -> None:
        self._root, self._look = root, look
        self._analyser = FaceAnalyser(look.pack, look.device)

    def __call__(self, ref: PhotoRef) -> ScannedPhoto | SkippedPhoto:
        """One photo, at once."""
        batch = (Task(ref),)
        photo = self.work(batch, self.prepare(batch))[0].photo
        assert not isinstance(photo, KnownPhoto)
        return photo

    def prepare(self, batch: Sequence[Task]) -> list[tuple[bytes, PhotoRef] | SkippedPhoto]:
        """Read the photos' files."""
        return [self._read(task.ref) for task in batch]

    def work(self, batch: Sequence[Task], prepared: Sequence[tuple[bytes, PhotoRef] | SkippedPhoto]) -> list[Examined]:
        """Everything else. The faces of all the photos are embedded in one go."""
        clocks = [_Clock() for _ in batch]
        seen = [self._see(*pair, clock) for pair, clock in zip(zip(batch, prepared, strict=True), clocks, strict=True)]
        looked_at = [one for one in seen if isinstance(one, _Seen)]
        began = time.process_time()
        embedded = iter(self._analyser.embed([one.found for one in looked_at], [one.chips for one in looked_at]))
        share = (time.process_time() - began) / max(1, len(looked_at))
        out = []
        for one, clock in zip(seen, clocks, strict=True):
            if isinstance(one, _Seen):
                clock.seconds["embed"] = clock.seconds.get("embed", 0.0) + share
                faces = next(embedded)
                out.append(Examined(self._scanned(one, faces), clock.seconds, faces.unusable))
            else:
                out.append(Examined(one, clock.seconds))
        return out

    def _read(self, ref: PhotoRef) -> tuple[bytes, PhotoRef] | SkippedPhoto:
        try:
            ref.rel_path.encode()
        except UnicodeEncodeError:
            return SkippedPhoto(ref, SkipReason.BAD_NAME, "rename the file to have it scanned")
        try:
            return read_photo(self._root / ref.rel_path, ref)
        except Exception as error:
            return _skipped(ref, error)

    def _see(
        self, task: Task, prepared: tuple[bytes, PhotoRef] | SkippedPhoto, clock: _Clock
    ) -> _Seen | SkippedPhoto | KnownPhoto:
        if isinstance(prepared, SkippedPhoto):
            return prepared
        data, ref = prepared
        clock.start()
        try:
            if task.known and (content := content_hash(data)) in task.known:
                clock.lap("read")
                return KnownPhoto(ref, content)
            return self._find(ref, data, clock)
        except PackError:  # it would be so with every photo
            raise
        except Exception as error:  # one bad photo never stops a scan
            return _skipped(ref, error)

    def _find(self, ref: PhotoRef, data: bytes, clock: _Clock) -> _Seen:
        spec = self._look.pack.detector
        photo = decode_photo(data, ref, at_least=spec.long_side)
        full, before = max(photo.full_size), max(photo.pixels.shape)
        min_face = self._look.smallest(full)
        wanted = math.ceil(full * spec.smallest / min_face)
        if before < min(wanted, full):
            photo = decode_photo(data, ref, at_least=wanted)
            before = max(photo.pixels.shape)
        clock.lap("decode")
        found = self._analyser.detect(photo.pixels, min_face * before / full)
        clock.lap("detect")
        photo, found = self._sharpen(photo, found, data)
        clock.lap("decode")
        found = self._analyser.refine(photo.pixels, found)
        clock.lap("detect")
        chips = self._analyser.chips(photo.pixels, found)
        clock.lap("embed")
        height, width = photo.pixels.shape[:2]
        return _Seen(photo.without_pixels(), np.array([width, height], np.float32), found, chips)

    def _sharpen(self, photo: Photo, found: Detections, data: bytes) -> tuple[Photo, Detections]:
        """Decode again, larger, where a chip would have to be blown up from reduced pixels."""
        blow_up = self._analyser.chip_scales(found).max(initial=0.0)
        if photo.is_full_size or blow_up <= 1:
            return photo, found
        before = max(photo.pixels.shape)
        sharper = decode_photo(data, photo.ref, at_least=math.ceil(before * blow_up))
        return sharper, found.scaled(max(sharper.pixels.shape) / before)

    def _scanned(self, seen: _Seen, faces: EmbeddedFaces) -> ScannedPhoto:
        photo, found = seen.photo, faces.found
        boxes = np.clip(found.boxes / np.tile(seen.extent, 2), 0, 1).astype(np.float32)
        return ScannedPhoto(
            ref=photo.ref,
            content_hash=photo.content_hash,
            full_size=photo.full_size,
            metadata=photo.metadata,
            face_ids=tuple(face_id(photo.content_hash, box) for box in boxes),
            boxes=boxes,
            landmarks=(found.landmarks / seen.extent).astype(np.float32),
            scores=found.scores,
            quality=faces.quality,
            embeddings=faces.embeddings,
            min_face=math.ceil(self._look.smallest(max(photo.full_size))),
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


class _Clock:
    """Seconds of processor time of this process, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = 0.0

    def start(self) -> None:
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
