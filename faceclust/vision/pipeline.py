"""The steps of vision in order: detect → (refine landmarks →) align → embed and judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import Pack
from faceclust.packs.session import OnnxModel
from faceclust.types import Detections, Float32, Float64, UInt8
from faceclust.vision.align import box_transforms, chip_transforms, cut_chips
from faceclust.vision.detect import load_detector
from faceclust.vision.embed import load_embedder
from faceclust.vision.geometry import transform_scale
from faceclust.vision.landmarks import LandmarkRefiner
from faceclust.vision.quality import face_quality


class EmbeddedFaces(NamedTuple):
    """Faces of one photo, their embeddings float32 (n, d) and their quality float32 (n,), 0 to 1.
    `unusable` faces more are left out: of them the model gives no finite numbers, or none but 0."""

    detections: Detections
    embeddings: Float32
    quality: Float32
    unusable_count: int


class FaceAnalyser:
    """A pack's models, opened on a device (see `packs.session`), and what they do to a picture.
    One for each worker. Raises PackError for models that are not what the pack says: those that did
    not come with the program are tried on a blank picture first."""

    def __init__(self, pack: Pack, device: str = "cpu") -> None:
        self.pack = pack
        self._detector = load_detector(pack, device)
        onet = pack.detector.landmarks
        self._refiner = LandmarkRefiner(OnnxModel(pack.path(onet), device)) if onet else None
        self._embedder = load_embedder(pack, device)
        if not pack.embedded:
            self._test_on_blank_picture()

    def _test_on_blank_picture(self) -> None:
        face = np.array([[20, 20, 100, 100]], np.float32)
        points = self.pack.embedder.template / np.array(self.pack.embedder.chip_size, np.float32) * 80 + 20
        found = Detections(face, np.ones(1, np.float32), points[None].astype(np.float32))
        blank = np.full((128, 160, 3), 127, np.uint8)
        try:
            with np.errstate(all="ignore"):
                self.detect(blank, 20.0)
                self.embed([found], [self.align(blank, self.refine(blank, found))])
        except PackError as error:
            raise PackError(f"pack {self.pack.name!r}: {error}", hint=error.hint) from error
        except MemoryError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise PackError(
                f"pack {self.pack.name!r}: its models cannot be run: {said or type(error).__name__}",
                hint="do they fit what its manifest says of them?",
            ) from error

    def detect(self, pixels: UInt8, min_face: float | None = None) -> Detections:
        """Faces of a picture (H, W, 3), in its pixels, from the left to the right, then down:
        an order of their own, so that results do not hang on scores that differ in the last bit.
        Those narrower than `min_face` pixels (None: than the pack's default) are not looked for."""
        found = self._detector(pixels, self.pack.detector.min_face(max(pixels.shape)) if min_face is None else min_face)
        # A face whose landmarks fall into one point cannot be aligned.
        spread = np.ptp(found.landmarks, axis=1).max(axis=1, initial=0.0)
        usable = np.flatnonzero((spread > 1) & np.isfinite(found.boxes).all(axis=1))
        order = usable[np.lexsort((found.boxes[usable, 1], found.boxes[usable, 0]))]
        return found.take(order)

    def refine(self, pixels: UInt8, detections: Detections) -> Detections:
        """The same faces with better landmarks, where the pack has a model for them. Pixels and
        detections are of one scale, better than that of the detector's copy."""
        return self._refiner(pixels, detections) if self._refiner else detections

    def chip_scales(self, detections: Detections) -> Float64:
        """Chip pixels for one picture pixel, (n,): over 1, more resolution would help."""
        return np.array([transform_scale(matrix) for matrix in self._transforms(detections)])

    def align(self, pixels: UInt8, detections: Detections) -> UInt8:
        """The faces aligned and cut out, uint8 (n, h, w, 3)."""
        return cut_chips(pixels, self._transforms(detections), self.pack.embedder.chip_size)

    def _transforms(self, detections: Detections) -> list[Float64]:
        spec = self.pack.embedder
        if spec.margin is not None:
            return box_transforms(detections.boxes, spec.margin, spec.chip_size)
        return chip_transforms(detections.landmarks, spec.template)

    def embed(self, detections: Sequence[Detections], chips: Sequence[UInt8]) -> list[EmbeddedFaces]:
        """For the faces of each of some photos and their chips, in one go: the faces that are
        ones by what the embedder makes of them."""
        spec = self.pack.embedder
        embedded = self._embedder(np.concatenate([np.empty((0, *spec.chip_size[::-1], 3), np.uint8), *chips]))
        ends = np.cumsum([len(faces) for faces in detections], dtype=np.intp)
        out = []
        for faces, own, end in zip(detections, chips, ends, strict=True):
            mine = slice(end - len(faces), end)
            doubtful = faces.scores < spec.sure_score
            usable = embedded.usable[mine]
            kept = np.flatnonzero(usable & ~(doubtful & (embedded.asymmetry[mine] > spec.max_asymmetry)))
            sure, asymmetry, norms = faces.take(kept), embedded.asymmetry[mine][kept], embedded.norms[mine][kept]
            quality = face_quality(sure, self.chip_scales(sure), own[kept], asymmetry, norms, spec)
            unusable = int(np.count_nonzero(~usable))
            out.append(EmbeddedFaces(sure, embedded.vectors[mine][kept], quality, unusable))
        return out

    def raw_norms(self, chips: UInt8) -> Float32:
        """The lengths (n,) of the embedder's own vectors, as it tells them."""
        return self._embedder.raw_vectors_and_norms(chips)[1]

    def raw_vectors(self, chips: UInt8) -> tuple[Float32, Float32]:
        """The embedder's own vectors of chips and of their mirror images, (n, d) each, not scaled."""
        return self._embedder.raw_vectors(chips), self._embedder.raw_vectors(chips[:, :, ::-1])
