"""The steps of face analysis in order: detect → (refine landmarks →) align → embed and rate."""

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
    """The faces of one photo.

    `embeddings`: float32 (n, d). `quality`: float32 (n,), 0 to 1. `chips`: uint8 (n, h, w, 3).
    `unusable_count`: further faces left out because the embedder's vector is zero or not finite.
    """

    detections: Detections
    embeddings: Float32
    quality: Float32
    chips: UInt8
    unusable_count: int


class FacePipeline:
    """A pack's models, opened on a device (see `packs.session`). Each worker has its own.

    Models that are not embedded in faceclust are tested on a blank picture first. Raises PackError
    if models do not fit their manifest.
    """

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
            reason = " ".join(str(error).split())[:300]
            raise PackError(
                f"pack {self.pack.name!r}: its models cannot be run: {reason or type(error).__name__}",
                hint="check them against the manifest",
            ) from error

    def detect(self, pixels: UInt8, min_face: float | None = None) -> Detections:
        """Return the faces in a picture (H, W, 3), in its pixels, from left to right, then down.

        That order is independent of scores, whose last bits may differ between machines. At least a
        pixel of each box lies within the picture.
        `min_face`: width of the smallest face to look for in pixels, None for the pack's default.
        """
        if min_face is None:
            min_face = self.pack.detector.min_face((pixels.shape[1], pixels.shape[0]))
        found = self._detector(pixels, min_face)
        # A face whose landmarks coincide cannot be aligned.
        spread = np.ptp(found.landmarks, axis=1).max(axis=1, initial=0.0)
        is_finite = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.landmarks).all(axis=(1, 2))
        inside = np.minimum(found.boxes[:, 2:], pixels.shape[1::-1]) - np.maximum(found.boxes[:, :2], 0)
        usable = np.flatnonzero((spread > 1) & is_finite & (inside >= 1).all(axis=1))
        order = usable[np.lexsort((found.boxes[usable, 1], found.boxes[usable, 0]))]
        return found.take(order)

    def refine(self, pixels: UInt8, detections: Detections) -> Detections:
        """Return the same faces with better landmarks, if the pack has a model for them.

        Pixels and detections have the same scale, which may be larger than the detector's.
        """
        return self._refiner(pixels, detections) if self._refiner else detections

    def chip_scales(self, detections: Detections) -> Float64:
        """Return chip pixels per picture pixel, (n,). Above 1, a larger picture would give better chips."""
        return np.array([transform_scale(matrix) for matrix in self._transforms(detections)])

    def align(self, pixels: UInt8, detections: Detections) -> UInt8:
        """Cut the aligned faces, uint8 (n, h, w, 3)."""
        return cut_chips(pixels, self._transforms(detections), self.pack.embedder.chip_size)

    def _transforms(self, detections: Detections) -> list[Float64]:
        spec = self.pack.embedder
        if spec.margin is not None:
            return box_transforms(detections.boxes, spec.margin, spec.chip_size)
        return chip_transforms(detections.landmarks, spec.template)

    def embed(self, detections: Sequence[Detections], chips: Sequence[UInt8]) -> list[EmbeddedFaces]:
        """Embed the faces of several photos together, given their detections and chips.

        Doubtful detections with an asymmetric embedding are dropped: they are not faces.
        """
        spec = self.pack.embedder
        embedded = self._embedder(np.concatenate([np.empty((0, *spec.chip_size[::-1], 3), np.uint8), *chips]))
        ends = np.cumsum([len(faces) for faces in detections], dtype=np.intp)
        results = []
        for faces, photo_chips, end in zip(detections, chips, ends, strict=True):
            rows = slice(end - len(faces), end)
            doubtful = faces.scores < spec.sure_score
            usable = embedded.usable[rows]
            kept = np.flatnonzero(usable & ~(doubtful & (embedded.asymmetry[rows] > spec.max_asymmetry)))
            sure, asymmetry, norms = faces.take(kept), embedded.asymmetry[rows][kept], embedded.norms[rows][kept]
            kept_chips = photo_chips[kept]
            quality = face_quality(sure, self.chip_scales(sure), kept_chips, asymmetry, norms, spec)
            unusable = int(np.count_nonzero(~usable))
            results.append(EmbeddedFaces(sure, embedded.vectors[rows][kept], quality, kept_chips, unusable))
        return results

    def raw_vectors(self, chips: UInt8) -> tuple[Float32, Float32]:
        """Return the embedder's raw vectors of chips and of their mirror images, (n, d) each."""
        return self._embedder.raw_pairs(chips)[:2]
