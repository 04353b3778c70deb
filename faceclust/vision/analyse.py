"""The steps of vision in order: detect → (refine landmarks →) align → embed and judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceclust.packs.pack import Pack
from faceclust.packs.session import OnnxModel
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.align import chip_scales, cut_chips
from faceclust.vision.detect import load_detector
from faceclust.vision.embed import load_embedder
from faceclust.vision.geometry import Float64
from faceclust.vision.landmarks import LandmarkRefiner
from faceclust.vision.quality import face_quality


class FaceAnalyser:
    """A pack's models, opened on a device (see `packs.session`), and what they do to a picture.
    One for each worker."""

    def __init__(self, pack: Pack, device: str = "cpu") -> None:
        self.pack = pack
        self._detector = load_detector(pack, device)
        onet = pack.detector.landmarks
        self._refiner = LandmarkRefiner(OnnxModel(pack.path(onet), device)) if onet else None
        self._embedder = load_embedder(pack, device)

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
        return chip_scales(detections.landmarks, self.pack.embedder.template)

    def chips(self, pixels: UInt8, detections: Detections) -> UInt8:
        """The faces aligned and cut out, uint8 (n, h, w, 3)."""
        spec = self.pack.embedder
        return cut_chips(pixels, detections.landmarks, spec.template, spec.chip_size)

    def embed(self, found: Sequence[Detections], chips: Sequence[UInt8]) -> list[tuple[Detections, Float32, Float32]]:
        """For the faces of each of some photos and their chips, in one go: the faces that are
        ones by what the embedder makes of them, their embeddings float32 (n, d), and their quality
        float32 (n,), 0 to 1."""
        spec = self.pack.embedder
        embedded = self._embedder(np.concatenate([np.empty((0, *spec.chip_size[::-1], 3), np.uint8), *chips]))
        ends = np.cumsum([len(faces) for faces in found], dtype=np.intp)
        out = []
        for faces, own, end in zip(found, chips, ends, strict=True):
            mine = slice(end - len(faces), end)
            doubtful = faces.scores < spec.sure_score
            kept = np.flatnonzero(~(doubtful & (embedded.asymmetry[mine] > spec.max_asymmetry)))
            sure, asymmetry, norms = faces.take(kept), embedded.asymmetry[mine][kept], embedded.norms[mine][kept]
            quality = face_quality(sure, self.chip_scales(sure), own[kept], asymmetry, norms, spec)
            out.append((sure, embedded.vectors[mine][kept], quality))
        return out

    def vectors(self, chips: UInt8) -> tuple[Float32, Float32]:
        """The embedder's own vectors of chips and of their mirror images, (n, d) each, not scaled."""
        return self._embedder.raw(chips), self._embedder.raw(chips[:, :, ::-1])
