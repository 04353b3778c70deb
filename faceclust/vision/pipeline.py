"""The steps of face analysis in order: detect → (refine landmarks →) align → embed and rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import Pack
from faceclust.packs.session import OnnxModel
from faceclust.types import SAME_FACE_OVERLAP, Box, Detections, Float32, Float64, UInt8, paired_intersection_over_union
from faceclust.types.transforms import transform_scale
from faceclust.vision.align import box_transforms, chip_transforms, cut_chips, cut_squares
from faceclust.vision.detect import detector_settings, load_detector
from faceclust.vision.effort import Effort
from faceclust.vision.embed import load_embedder
from faceclust.vision.geometry import non_maximum_suppression
from faceclust.vision.landmarks import LandmarkRefiner
from faceclust.vision.pyramid import ImagePyramid
from faceclust.vision.quality import face_quality
from faceclust.vision.quarter_turns import TURNS, choose_turn, lay_out_turned_copies, turn_back

#: Width of the smallest face that decides the way up, as a fraction of the picture's longer side.
_SMALLEST_TURNED_SHARE = 1 / 10


#: Side in pixels of a square around the middle of a box that is known to hold a face, twice as long as the box.
_CROP_SIDE = 192
_SMALLEST_SHARE_OF_BOX = 0.4  # width of the smallest face that a box may hold
_MIN_OVERLAP = 0.3  # intersection over union of a box drawn by hand and the detector's box of its face
# Positions of the landmarks of an upright face, from the middle of its box, in units of the box's longer
# side: medians of MTCNN's for 226 faces of Labeled Faces in the Wild, left and right averaged.
_LANDMARKS_IN_BOX = np.array(
    [[-0.176, -0.112], [0.176, -0.112], [0, 0.083], [-0.158, 0.258], [0.158, 0.258]], np.float32
)


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
        self._levels = detector_settings(pack)[0].score_levels
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
        return self._detect(ImagePyramid(pixels), min_face)

    def detect_any_way(
        self, pixels: UInt8, min_face: float | None = None, find_likely_turn: Callable[[], int] = lambda: 0
    ) -> tuple[int, Detections]:
        """Detect faces in a picture (H, W, 3) that may lie on its side or upside down.

        Return the turn that makes the picture upright, and the faces in `numpy.rot90(pixels, turn)`, as
        `detect` returns them. The turn is 0 unless another one shows a face that is surer than all faces
        of the picture as it is. If none of those is certain, small copies turned three ways are searched
        for faces wider than a 10th of the longer side.
        `find_likely_turn`: called if no face is certain, to get a turn to try first, in full.
        """
        pyramid = ImagePyramid(pixels)
        upright = self._detect(pyramid, min_face)
        best = upright.scores.max(initial=0.0)
        if best >= self._levels.certain:
            return 0, upright
        if likely_turn := find_likely_turn():
            found = self.detect(np.rot90(pixels, likely_turn), min_face)
            if found.scores.max(initial=0.0) > best:
                return likely_turn, found
        turn = self._find_turn(pyramid)
        if turn not in (None, likely_turn):
            found = self.detect(np.rot90(pixels, turn), min_face)
            if found.scores.max(initial=0.0) >= max(best, self._levels.sure):
                return turn, found
        return 0, upright

    def detect_every_way(self, pixels: UInt8, min_face: float | None = None) -> list[tuple[int, Detections]]:
        """Search a picture (H, W, 3) thoroughly, as it is and turned three ways.

        Return each turn and the faces in `numpy.rot90(pixels, turn)`, as `detect` returns them; each face is
        in the turn with its best score only.
        """
        found = [self._detect(ImagePyramid(np.rot90(pixels, turn)), min_face, Effort.THOROUGH) for turn in (0, *TURNS)]
        size = pixels.shape[1], pixels.shape[0]
        boxes = np.concatenate([turn_back(faces, turn, size).boxes for turn, faces in enumerate(found)])
        scores = np.concatenate([faces.scores for faces in found])
        best = np.zeros(len(scores), np.bool_)
        best[non_maximum_suppression(boxes, scores, SAME_FACE_OVERLAP)] = True
        ends = np.cumsum([len(faces) for faces in found])[:-1]
        return [
            (turn, faces.take(np.flatnonzero(kept)))
            for (turn, faces), kept in zip(enumerate(found), np.split(best, ends), strict=True)
        ]

    def detect_in_box(self, pixels: UInt8, box: Box) -> tuple[int, Detections]:
        """Return the face in a box of a picture (H, W, 3) that is known to hold one.

        The result is a turn, and one face in `numpy.rot90(pixels, turn)`: the one found around the box that
        covers it best. If none is found, its score is 0, and its landmarks are where those of an upright face
        in such a box usually are.
        """
        left, top, right, bottom = box
        reach = max(right - left, bottom - top)
        corner = np.array([(left + right) / 2 - reach, (top + bottom) / 2 - reach], np.float32)
        (crop,) = cut_squares(pixels, np.concatenate([corner, corner + 2 * reach])[None], _CROP_SIDE)
        best, best_overlap = None, _MIN_OVERLAP
        for turn, found in self.detect_every_way(crop, _CROP_SIDE / 2 * _SMALLEST_SHARE_OF_BOX):
            faces = _moved(turn_back(found, turn, crop.shape[1::-1]).scaled(2 * reach / _CROP_SIDE), corner)
            overlaps = paired_intersection_over_union(faces.boxes, np.tile(np.array(box, np.float32), (len(faces), 1)))
            if overlaps.max(initial=0.0) >= best_overlap:
                best, best_overlap = (turn, faces.take(overlaps.argmax(0, keepdims=True))), overlaps.max()
        if best is None:
            landmarks = corner + reach * (1 + _LANDMARKS_IN_BOX)
            return 0, Detections(np.array([box], np.float32), np.zeros(1, np.float32), landmarks[None])
        turn, face = best
        turned_size = np.rot90(pixels, turn).shape[1::-1]
        return turn, turn_back(face, -turn % 4, turned_size)

    def _find_turn(self, pyramid: ImagePyramid) -> int | None:
        """Return the turn with the surest faces, None if none is sure."""
        smallest = self.pack.detector.smallest
        copy = pyramid.resize(min(1.0, smallest / _SMALLEST_TURNED_SHARE / max(pyramid.size)))
        found = self._detect(ImagePyramid(lay_out_turned_copies(copy)), smallest, Effort.QUICK)
        sure = np.flatnonzero(found.scores >= self._levels.sure)
        return choose_turn(found.take(sure), max(copy.shape[:2]))

    def _detect(self, pyramid: ImagePyramid, min_face: float | None, effort: Effort = Effort.USUAL) -> Detections:
        size = pyramid.size
        min_face = self.pack.detector.min_face(size) if min_face is None else min_face
        found = self._detector(pyramid, min_face, effort)
        # A face whose landmarks coincide cannot be aligned.
        spread = np.ptp(found.landmarks, axis=1).max(axis=1, initial=0.0)
        is_finite = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.landmarks).all(axis=(1, 2))
        inside = np.minimum(found.boxes[:, 2:], size) - np.maximum(found.boxes[:, :2], 0)
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

    def embed(
        self, detections: Sequence[Detections], chips: Sequence[UInt8], *, are_faces: bool = False
    ) -> list[EmbeddedFaces]:
        """Embed the faces of several photos together, given their detections and chips.

        Doubtful detections with an asymmetric embedding are dropped: they are not faces. `are_faces`: all of
        them are known to be faces.
        """
        spec = self.pack.embedder
        embedded = self._embedder(np.concatenate([np.empty((0, *spec.chip_size[::-1], 3), np.uint8), *chips]))
        ends = np.cumsum([len(faces) for faces in detections], dtype=np.intp)
        results = []
        for faces, photo_chips, end in zip(detections, chips, ends, strict=True):
            rows = slice(end - len(faces), end)
            doubtful = (faces.scores < spec.sure_score) & (not are_faces)
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


def _moved(detections: Detections, offset: Float32) -> Detections:
    """Return the faces moved by `offset` (2,), in pixels."""
    return Detections(detections.boxes + np.tile(offset, 2), detections.scores, detections.landmarks + offset)
