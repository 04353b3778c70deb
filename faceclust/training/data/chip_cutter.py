"""The worker that finds faces on a photo and cuts their chips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceclust.errors import PackError, is_out_of_memory
from faceclust.packs.alignment_templates import template_points
from faceclust.packs.pack import Pack
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.photos.face_ids import content_hash
from faceclust.photos.reading import read_photo
from faceclust.types import Box, Float32, Photo, PhotoRef, SkipReason, UInt8
from faceclust.vision.align import chip_transforms, cut_chips
from faceclust.vision.pipeline import FacePipeline

#: The reason to leave out a photo without a face, or a box in which none is found.
NO_FACE = "no face found"


@dataclass(frozen=True)
class FoundFace:
    """A face on a photo. `landmarks` float32 (5, 2) are in pixels of the photo, in full size and after `turn` quarter
    turns (see `numpy.rot90`). With a `reason` there is no usable face, and they are 0."""

    reason: str
    turn: int
    landmarks: Float32

    @classmethod
    def missing(cls, reason: str) -> FoundFace:
        """Return the absence of a face."""
        return cls(reason, 0, np.zeros((5, 2), np.float32))


@dataclass(frozen=True)
class CutTask:
    """A photo with the faces to cut out. `content` is its content hash. Each of `boxes` holds a face, in pixels of the
    upright photo; None is the face nearest to the photo's centre. `known` faces (one for each box) were found before.
    """

    path: Path
    content: str
    boxes: tuple[Box | None, ...]
    known: tuple[FoundFace | None, ...]


class ChipCutter:
    """Finds faces with an opened pack's detector and landmark refiner, and cuts chips by ArcFace's template."""

    def __init__(self, pack: Pack, input_size: tuple[int, int]) -> None:
        self._analyser, self._size = FacePipeline(pack), input_size
        self._template = template_points("arcface", input_size)

    def prepare(self, task: CutTask) -> bytes | str:
        """Read the photo's bytes; return the reason if they cannot be read."""
        try:
            return read_unchanged(task.path, task.content)
        except Exception as error:
            return reason_of(error)

    def work(self, task: CutTask, prepared: bytes | str) -> list[tuple[FoundFace, UInt8 | None]]:
        """Return the face in each box, with its chip (h, w, 3) if there is one."""
        if isinstance(prepared, str):
            return [(FoundFace.missing(prepared), None)] * len(task.boxes)
        try:
            photo = decode_photo(prepared, PhotoRef(task.path.name, len(prepared), 0))
            pairs = zip(task.boxes, task.known, strict=True)
            faces = [known or self._find_face(photo, box) for box, known in pairs]
            return [(face, None if face.reason else self._cut(photo.pixels, face)) for face in faces]
        except PackError:  # every other photo would fail, too
            raise
        except Exception as error:  # one bad photo never stops a run
            return [(FoundFace.missing(reason_of(error)), None)] * len(task.boxes)

    def _find_face(self, photo: Photo, box: Box | None) -> FoundFace:
        pixels, turn = photo.pixels, 0
        if box is None:
            found = self._analyser.detect(pixels)
            if len(found):
                sure = found.scores >= self._analyser.pack.embedder.sure_score
                offsets = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - np.array(pixels.shape[1::-1]) / 2
                distances = (offsets**2).sum(axis=1)
                found = found.take(np.where(sure | ~sure.any(), distances, np.inf).argmin(axis=0, keepdims=True))
        else:
            scale = pixels.shape[1] / photo.full_size[0]  # a RAW file is decoded at half its size
            left, top, right, bottom = (side * scale for side in box)
            turn, found = self._analyser.detect_in_box(pixels, (left, top, right, bottom))
            found = found.take(np.flatnonzero(found.scores > 0))
        if not len(found):
            return FoundFace.missing(NO_FACE)
        refined = self._analyser.refine(np.rot90(pixels, turn), found)
        return FoundFace("", turn, refined.landmarks[0])

    def _cut(self, pixels: UInt8, face: FoundFace) -> UInt8:
        transforms = chip_transforms(face.landmarks[None], self._template)
        chip: UInt8 = cut_chips(np.rot90(pixels, face.turn), transforms, self._size)[0]
        return chip


def read_unchanged(path: Path, content: str) -> bytes:
    """Read a photo with this content hash. Raises OSError, and UndecodableError if it was changed or is a symlink."""
    data, _ = read_photo(path, PhotoRef(path.name, 0, 0))
    if content_hash(data) != content:
        raise UndecodableError(SkipReason.UNREADABLE, "it changed since its content was hashed")
    return data


def reason_of(error: Exception) -> str:
    """Return the reason to leave out a photo on which this error was raised, in the words of a scan."""
    if isinstance(error, UndecodableError):
        return error.reason.value
    if is_out_of_memory(error):
        return SkipReason.OUT_OF_MEMORY.value
    return (SkipReason.UNREADABLE if isinstance(error, OSError) else SkipReason.FAILED).value
