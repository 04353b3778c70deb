"""The three steps of vision in order: detect → align → embed."""

from __future__ import annotations

import numpy as np

from faceclust.packs.manifest import Pack
from faceclust.types import Detections, Float32, UInt8
from faceclust.vision.align import chip_scales, cut_chips
from faceclust.vision.detect import detect_faces, load_detector
from faceclust.vision.embed import load_embedder
from faceclust.vision.geometry import Float64


class FaceAnalyser:
    """A pack's models, opened, and what they do to a picture. One for each worker."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._detector = load_detector(pack)
        self._embedder = load_embedder(pack)

    def detect(self, pixels: UInt8) -> Detections:
        """Faces of a picture (H, W, 3), in its pixels, from the left to the right, then down:
        an order of their own, so that results do not hang on scores that differ in the last bit."""
        found = detect_faces(self._detector, pixels, self.pack.detector.long_side)
        # A face whose landmarks fall into one point cannot be aligned.
        spread = np.ptp(found.landmarks, axis=1).max(axis=1, initial=0.0)
        usable = np.flatnonzero((spread > 1) & np.isfinite(found.boxes).all(axis=1))
        order = usable[np.lexsort((found.boxes[usable, 1], found.boxes[usable, 0]))]
        return found.take(order)

    def chip_scales(self, detections: Detections) -> Float64:
        """Chip pixels for one picture pixel, (n,): over 1, more resolution would help."""
        return chip_scales(detections.landmarks, self.pack.embedder.template)

    def embed(self, pixels: UInt8, detections: Detections) -> tuple[Detections, Float32]:
        """Embeddings float32 (n, d) of faces whose landmarks are in this picture's pixels, and
        those faces: without the ones that are no faces, by what the embedder makes of them."""
        spec = self.pack.embedder
        embedded = self._embedder(cut_chips(pixels, detections.landmarks, spec.template, spec.chip_size))
        doubtful = detections.scores < spec.sure_score
        kept = np.flatnonzero(~(doubtful & (embedded.asymmetry > spec.max_asymmetry)))
        return detections.take(kept), embedded.vectors[kept]
