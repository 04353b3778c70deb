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
from faceclust.types import Detections, Float32, PhotoRef, UInt8
from faceclust.vision.pipeline import FacePipeline

#: A file, or an encoded picture that another file holds.
Picture = Path | bytes

_NO_DETECTIONS = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))


@dataclass(frozen=True)
class PictureTask:
    """A picture to measure: `index` is its position among all of them.

    `detections` are the faces that the detector found before; None if it has to run.
    """

    index: int
    picture: Picture
    degradation: Degradation | None
    detections: Detections | None = None


@dataclass(frozen=True)
class MainFace:
    """The main face of one picture; for the fields see `MainFaces`."""

    chip: Float32
    mirror: Float32
    box: Float32
    landmarks: Float32
    score: float
    quality: float


@dataclass(frozen=True)
class PictureFaces:
    """The detections of one picture, landmarks refined, and its main face, None if it has none."""

    detections: Detections
    main: MainFace | None


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

    def work(self, task: PictureTask, prepared: bytes | None) -> PictureFaces:
        """Find the faces of a picture, and the one nearest to its centre."""
        if prepared is None:
            return PictureFaces(_NO_DETECTIONS, None)
        try:
            pixels = _decode(task.picture, prepared)
        except UndecodableError:
            return PictureFaces(_NO_DETECTIONS, None)
        pixels = pixels if task.degradation is None else task.degradation(pixels)
        detections = self._detect(pixels) if task.detections is None else task.detections
        return PictureFaces(detections, self._find_main_face(pixels, detections))

    def _detect(self, pixels: UInt8) -> Detections:
        if self._aligned:
            return crop_detections(pixels)
        return self._analyser.refine(pixels, self._analyser.detect(pixels))

    def _find_main_face(self, pixels: UInt8, detections: Detections) -> MainFace | None:
        analyser = self._analyser
        (embedded,) = analyser.embed([detections], [analyser.align(pixels, detections)])
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
