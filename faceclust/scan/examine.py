"""Examine photos in a worker: read → decode → detect → align → embed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from faceclust.errors import PackError, UsageError, is_out_of_memory
from faceclust.files.names import is_video_name
from faceclust.packs.pack import Pack
from faceclust.photos.colour import convert_to_srgb
from faceclust.photos.decode import decode_photo
from faceclust.photos.embedded_metadata import find_metadata
from faceclust.photos.errors import UndecodableError
from faceclust.photos.face_ids import content_hash, face_id
from faceclust.photos.reading import read_photo
from faceclust.photos.turbojpeg import PixelBuffer
from faceclust.photos.videos import hash_video
from faceclust.scan.embed_drawn import embed_drawn_faces, needed_long_side
from faceclust.scan.examine_video import examine_video
from faceclust.scan.likely_turn import read_likely_turn
from faceclust.scan.photo_dates import add_date
from faceclust.types import (
    Detections,
    DrawnFace,
    Float32,
    Metadata,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
    UInt8,
    join_detections,
)
from faceclust.vision.pipeline import EmbeddedFaces, FacePipeline
from faceclust.vision.quarter_turns import turn_back

#: The bytes of a photo's file, or the content hash of a video, and the file's present reference; or why it has none.
_Prepared = tuple[bytes | str, PhotoRef] | SkippedPhoto
#: The smallest face of a thorough search, as a part of the usual one.
_THOROUGH_SHARE = 0.5


@dataclass(frozen=True)
class ScanSettings:
    """The pack, the device (see `packs.session`) and the smallest face to look for.

    `min_face`: width in pixels of the photo, None to derive it from the photo's size.
    """

    pack: Pack
    device: str = "cpu"
    min_face: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError if `min_face` is out of range."""
        if self.min_face is not None and not 10 <= self.min_face <= 30_000:
            raise UsageError(f"the smallest face must have 10 to 30,000 pixels, not {self.min_face}")

    def smallest_face(self, size: tuple[int, int], *, thorough: bool = False) -> float:
        """Return the width of the smallest face to look for in a photo of this size, in pixels."""
        return self.min_face or self.pack.detector.min_face(size) * (_THOROUGH_SHARE if thorough else 1)

    def is_satisfied_by(self, min_face: int | None, size: tuple[int, int]) -> bool:
        """Return whether an earlier result needs no rescan.

        `min_face`: the smallest face it looked for in pixels, None if unknown.
        """
        if min_face is None:
            return self.min_face is None
        return min_face <= math.ceil(self.smallest_face(size))


@dataclass(frozen=True)
class ExamineTask:
    """A photo to examine. `known_hashes`: content hashes whose results are known already. `drawn`: if given,
    only these faces are examined, which the user drew. `thorough`: look for the faces that a scan misses, too."""

    ref: PhotoRef
    known_hashes: frozenset[str] = frozenset()
    drawn: tuple[DrawnFace, ...] = ()
    thorough: bool = False


@dataclass(frozen=True)
class KnownPhoto:
    """A photo whose content was found in the task's `known_hashes`."""

    ref: PhotoRef
    content_hash: str


@dataclass(frozen=True)
class ExaminedPhoto:
    """The result of a photo, and the CPU seconds of each stage.

    `unusable_count`: faces left out because the embedder returned no usable vector.
    """

    photo: ScannedPhoto | SkippedPhoto | KnownPhoto
    seconds: dict[str, float] = field(default_factory=dict)
    unusable_count: int = 0


@dataclass(frozen=True)
class _DetectedPhoto:
    """A photo's faces, cropped as chips; its pixels are no longer needed."""

    photo: Photo
    size: Float32
    detections: Detections
    chips: UInt8


class PhotoExaminer:
    """A pack's opened models, which examine photos in batches, in two steps.

    Neither step raises for a bad photo: the failure becomes a `SkippedPhoto`.
    """

    def __init__(self, root: Path, settings: ScanSettings) -> None:
        self._root, self._settings = root, settings
        self._analyser = FacePipeline(settings.pack, settings.device)
        self._buffer = PixelBuffer()

    def __call__(self, picture: PhotoRef | UInt8) -> tuple[ScannedPhoto, UInt8] | SkippedPhoto:
        """Examine one photo on disk, or upright pixels (H, W, 3). Return it with its chips (n, h, w, 3)."""
        clock = _StageTimer()
        if isinstance(picture, PhotoRef):
            outcome = self._detect_unless_known(ExamineTask(picture), self._read_file(picture), clock)
        else:
            outcome = self._detect_on_pixels(picture, clock)
        if isinstance(outcome, SkippedPhoto):
            return outcome
        assert isinstance(outcome, _DetectedPhoto)
        (faces,) = self._analyser.embed([outcome.detections], [outcome.chips])
        return self._build_scanned_photo(outcome, faces), faces.chips

    def prepare(self, batch: Sequence[ExamineTask]) -> list[_Prepared]:
        """Read the photos' files, and hash the videos."""
        return [self._read_file(task.ref) for task in batch]

    def work(self, batch: Sequence[ExamineTask], prepared: Sequence[_Prepared]) -> list[ExaminedPhoto]:
        """Decode the photos and find their faces. The faces of all photos are embedded together."""
        clocks = [_StageTimer() for _ in batch]
        outcomes = [
            self._detect_unless_known(*pair, clock)
            for pair, clock in zip(zip(batch, prepared, strict=True), clocks, strict=True)
        ]
        detected = [outcome for outcome in outcomes if isinstance(outcome, _DetectedPhoto)]
        began = time.process_time()
        embedded = iter(self._analyser.embed([one.detections for one in detected], [one.chips for one in detected]))
        share = (time.process_time() - began) / max(1, len(detected))
        examined = []
        for outcome, clock in zip(outcomes, clocks, strict=True):
            if isinstance(outcome, _DetectedPhoto):
                clock.seconds["embed"] = clock.seconds.get("embed", 0.0) + share
                faces = next(embedded)
                photo = self._build_scanned_photo(outcome, faces)
                examined.append(ExaminedPhoto(photo, clock.seconds, faces.unusable_count))
            else:
                examined.append(ExaminedPhoto(outcome, clock.seconds))
        return examined

    def _read_file(self, ref: PhotoRef) -> _Prepared:
        try:
            ref.rel_path.encode()
        except UnicodeEncodeError:
            return SkippedPhoto(ref, SkipReason.BAD_NAME, "rename the file to scan it")
        try:
            if is_video_name(ref.name):
                return hash_video(self._root / ref.rel_path, ref)
            return read_photo(self._root / ref.rel_path, ref)
        except Exception as error:
            return _skip_failed_photo(ref, error)

    def _detect_unless_known(
        self, task: ExamineTask, prepared: _Prepared, clock: _StageTimer
    ) -> _DetectedPhoto | ScannedPhoto | SkippedPhoto | KnownPhoto:
        if isinstance(prepared, SkippedPhoto):
            return prepared
        data, ref = prepared
        clock.start()
        try:
            if isinstance(data, str):
                return self._examine_video(task, data, ref, clock)
            if task.drawn:
                return self._examine_drawn(task.drawn, ref, data, clock)
            if task.known_hashes and (content := content_hash(data)) in task.known_hashes:
                clock.lap("read")
                return KnownPhoto(ref, content)
            return self._add_date(self._detect_faces(ref, data, clock, thorough=task.thorough), data)
        except PackError:  # every other photo would fail, too
            raise
        except Exception as error:  # one bad photo never stops a scan
            return _skip_failed_photo(ref, error)

    def _examine_video(
        self, task: ExamineTask, content: str, ref: PhotoRef, clock: _StageTimer
    ) -> ScannedPhoto | KnownPhoto:
        if content in task.known_hashes:
            return KnownPhoto(ref, content)
        path = self._root / ref.rel_path
        return examine_video(path, ref, content, self._analyser, self._settings.smallest_face, clock.lap)

    def _detect_faces(self, ref: PhotoRef, data: bytes, clock: _StageTimer, *, thorough: bool) -> _DetectedPhoto:
        spec = self._settings.pack.detector
        photo = self._decode(data, ref, spec.long_side)
        full, before = max(photo.full_size), max(photo.pixels.shape)
        min_face = self._settings.smallest_face(photo.full_size, thorough=thorough)
        wanted = math.ceil(full * spec.smallest / min_face)
        if before < min(wanted, full):
            photo = self._decode(data, ref, wanted)
            before = max(photo.pixels.shape)
        clock.lap("decode")
        min_face *= before / full
        if thorough:
            found = self._analyser.detect_every_way(photo.pixels, min_face)
        else:
            likely = partial(read_likely_turn, self._root / ref.rel_path, photo.metadata.orientation)
            found = [self._analyser.detect_any_way(photo.pixels, min_face, likely)]
        clock.lap("detect")
        photo, found = self._redecode_larger(photo, found, data)
        clock.lap("decode")
        return self._cut_out_faces(photo, found, clock)

    def _add_date(self, detected: _DetectedPhoto, data: bytes) -> _DetectedPhoto:
        return replace(detected, photo=replace(detected.photo, metadata=self._find_date(detected.photo, data)))

    def _find_date(self, photo: Photo, data: bytes) -> Metadata:
        return add_date(photo.metadata, self._root / photo.ref.rel_path, partial(find_metadata, data))

    def _detect_on_pixels(self, pixels: UInt8, clock: _StageTimer) -> _DetectedPhoto:
        height, width = pixels.shape[:2]
        photo = Photo(PhotoRef("", 0, 0), "", pixels, (width, height), Metadata())
        found = self._analyser.detect_any_way(pixels, self._settings.smallest_face((width, height)))
        return self._cut_out_faces(photo, [found], clock)

    def _cut_out_faces(
        self, photo: Photo, found: Sequence[tuple[int, Detections]], clock: _StageTimer
    ) -> _DetectedPhoto:
        """Cut the chips of faces that were found in the photo's pixels after turns (see `numpy.rot90`).

        The detections are returned in the photo's pixels.
        """
        parts = [self._cut_out_turned(photo, *part, clock) for part in found]
        faces, chips = join_detections([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        order = np.lexsort((faces.boxes[:, 1], faces.boxes[:, 0]))  # from left to right, as without a turn
        size = np.array(photo.pixels.shape[1::-1], np.float32)
        return _DetectedPhoto(photo.without_pixels(), size, faces.take(order), chips[order])

    def _cut_out_turned(
        self, photo: Photo, turn: int, found: Detections, clock: _StageTimer
    ) -> tuple[Detections, UInt8]:
        pixels = np.rot90(photo.pixels, turn)
        found = self._analyser.refine(pixels, found)
        clock.lap("detect")
        chips = convert_to_srgb(self._analyser.align(pixels, found), photo.icc_profile)
        clock.lap("embed")
        height, width = photo.pixels.shape[:2]
        return turn_back(found, turn, (width, height)), chips

    def _decode(self, data: bytes, ref: PhotoRef, min_long_side: int) -> Photo:
        """Decode a photo. Its pixels are overwritten by the next one, and may not be sRGB."""
        return decode_photo(data, ref, min_long_side, buffer=self._buffer, convert_colours=False)

    def _redecode_larger(
        self, photo: Photo, found: list[tuple[int, Detections]], data: bytes
    ) -> tuple[Photo, list[tuple[int, Detections]]]:
        """Decode again at a larger size if a chip would be upscaled from reduced pixels."""
        upscale = max(self._analyser.chip_scales(faces).max(initial=0.0) for _, faces in found)
        if photo.is_full_size or upscale <= 1:
            return photo, found
        before = max(photo.pixels.shape)
        sharper = self._decode(data, photo.ref, math.ceil(before * upscale))
        growth = max(sharper.pixels.shape) / before
        return sharper, [(turn, faces.scaled(growth)) for turn, faces in found]

    def _examine_drawn(
        self, drawn: Sequence[DrawnFace], ref: PhotoRef, data: bytes, clock: _StageTimer
    ) -> ScannedPhoto:
        photo = self._decode(data, ref, self._settings.pack.detector.long_side)
        wanted = min(max(photo.full_size), needed_long_side(drawn, self._settings.pack.embedder.chip_size))
        if max(photo.pixels.shape) < wanted:
            photo = self._decode(data, ref, wanted)
        clock.lap("decode")
        photo = replace(photo, metadata=self._find_date(photo, data))
        examined = embed_drawn_faces(photo, drawn, self._analyser)
        clock.lap("embed")
        return examined

    def _build_scanned_photo(self, detected: _DetectedPhoto, faces: EmbeddedFaces) -> ScannedPhoto:
        photo, found = detected.photo, faces.detections
        boxes = np.clip(found.boxes / np.tile(detected.size, 2), 0, 1).astype(np.float32)
        return ScannedPhoto(
            ref=photo.ref,
            content_hash=photo.content_hash,
            full_size=photo.full_size,
            metadata=photo.metadata,
            face_ids=tuple(face_id(photo.content_hash, box) for box in boxes),
            boxes=boxes,
            landmarks=(found.landmarks / detected.size).astype(np.float32),
            scores=np.clip(found.scores, 0, 1),  # some exported models return logits
            quality=faces.quality,
            embeddings=faces.embeddings,
            min_face=math.ceil(self._settings.smallest_face(photo.full_size)),
        )


def _skip_failed_photo(ref: PhotoRef, error: Exception) -> SkippedPhoto:
    if isinstance(error, UndecodableError):
        return SkippedPhoto(ref, error.reason, str(error))
    if is_out_of_memory(error):
        return SkippedPhoto(ref, SkipReason.OUT_OF_MEMORY, "finding its faces needs more memory than there is")
    if isinstance(error, OSError):
        return SkippedPhoto(ref, SkipReason.UNREADABLE, error.strerror or str(error))
    return SkippedPhoto(ref, SkipReason.FAILED, f"{type(error).__name__}: {error}")


class _StageTimer:
    """CPU seconds of this process by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = 0.0

    def start(self) -> None:
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
