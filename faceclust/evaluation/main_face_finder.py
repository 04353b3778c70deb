"""The worker that finds the main face of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceclust.evaluation.aligned_crops import crop_detections, decode_crop
from faceclust.evaluation.degradations import Degradation
from faceclust.packs.pack import Pack
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.types import Float32, PhotoRef, UInt8
from faceclust.vision.pipeline import FacePipeline

#: A file, or an encoded picture that another file holds.
Picture = Path | bytes


@dataclass(frozen=True)
class PictureTask:
    """A picture to measure: `index` is its position among all of them."""

    index: int
    picture: Picture
    degradation: Degradation | None


@dataclass(frozen=True)
class MainFace:
    """The main face of one picture; for the fields see `MainFaces`."""

    chip: Float32
    mirror: Float32
    box: Float32
    landmarks: Float32
    score: float
    quality: float


class MainFaceFinder:
    """Finds main faces with an opened pack. A picture that cannot be read has no face."""

    def __init__(self, pack: Pack, aligned: bool) -> None:
        self._analyser, self._aligned = FacePipeline(pack), aligned

    def prepare(self, task: PictureTask) -> bytes | None:
        """Read the picture's bytes; None if they cannot be read."""
        try:
            return task.picture if isinstance(task.picture, bytes) else task.picture.read_bytes()
        except OSError:
            return None

    def work(self, task: PictureTask, prepared: bytes | None) -> MainFace | None:
        """Find the face nearest to the picture's centre; None if there is no face."""
        if prepared is None:
            return None
        try:
            pixels = _decode(task.picture, prepared)
        except UndecodableError:
            return None
        return self._find(pixels if task.degradation is None else task.degradation(pixels))

    def _find(self, pixels: UInt8) -> MainFace | None:
        analyser = self._analyser
        detected = crop_detections(pixels) if self._aligned else analyser.refine(pixels, analyser.detect(pixels))
        (embedded,) = analyser.embed([detected], [analyser.align(pixels, detected)])
        faces = embedded.detections
        if not len(faces):
            return None
        centre = np.array(pixels.shape[1::-1]) / 2
        offsets = ((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - centre) ** 2
        main = int(offsets.sum(axis=1).argmin())
        face = faces.take(np.array([main]))
        chip, mirror = analyser.raw_vectors(analyser.align(pixels, face))
        # A pack that does not mirror has never checked the vector of the mirror image.
        if not np.isfinite([chip, mirror]).all():
            return None
        return MainFace(
            chip[0], mirror[0], face.boxes[0], face.landmarks[0], float(face.scores[0]), float(embedded.quality[main])
        )


def _decode(picture: Picture, data: bytes) -> UInt8:
    if isinstance(picture, bytes):
        return decode_crop(data)
    return decode_photo(data, PhotoRef(picture.name, len(data), 0)).pixels
