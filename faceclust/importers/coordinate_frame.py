"""Infer the coordinate frame of a program's boxes from the found faces.

By the MWG guidelines 2.0, boxes refer to the stored picture, before the EXIF orientation is applied.
Programs break this rule in both directions, photos are rotated after their faces were marked, and the
recorded sizes are missing or swapped.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.importers.box_matching import compute_fit, match_boxes
from faceclust.importers.values import Frame, PhotoNames
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.values import upright_box

#: Another frame has to fit better by this sum of overlaps to override the rule.
_CLEAR_MARGIN = 0.25
#: Minimum mean fit of the boxes if more than the frame has to be guessed.
_MIN_MEAN_FIT = 0.6
_ASPECT_TOLERANCE = 0.05  # difference of the logarithms of two aspect ratios
#: Minimum number of a program's photos that vote for a frame, and the minimum share that agrees.
_MIN_VOTES, _MIN_AGREEMENT = 3, 0.8
#: The orientations that undo others; the rest undo themselves.
_INVERSE = {6: 8, 8: 6}
#: A source and a scheme. One program always uses the same frame for a scheme.
SourceScheme = tuple[str, str]


@dataclass(frozen=True)
class FrameInterpretation:
    """The boxes interpreted in one frame.

    `boxes` are in fractions of the upright photo. `fit` is (boxes, faces), and `pairs` maps a box to
    its face. `aspect_matches`: the picture has the aspect ratio that the program recorded; None if it
    recorded none.
    """

    frame: Frame
    boxes: tuple[Box, ...]
    fit: NDArray[np.float64]
    pairs: dict[int, int]
    aspect_matches: bool | None

    @property
    def score(self) -> float:
        return float(sum(self.fit[pair] for pair in self.pairs.items()))

    def fits_well(self) -> bool:
        """Is every box on a face, with a sufficient mean fit?"""
        return len(self.pairs) == len(self.boxes) and self.score >= _MIN_MEAN_FIT * len(self.boxes)


@dataclass(frozen=True)
class FrameChoice:
    """The chosen interpretation, or None and the reason.

    `is_certain`: boxes on no face can be trusted, too.
    """

    interpretation: FrameInterpretation | None
    undecided_reason: str = ""
    is_certain: bool = False


def interpret_boxes(photo_names: PhotoNames, photo: PhotoInfo, faces: Sequence[Box]) -> list[FrameInterpretation]:
    """Return the possible interpretations of the boxes, the one by the rule first.

    `faces` are the boxes of the faces found on the photo, in fractions of the upright picture.
    """
    candidates = [(photo_names.frame, photo.orientation if photo_names.frame is Frame.STORED else 1)]
    if not photo_names.frame_certain:
        candidates += [(Frame.STORED, photo.orientation), (Frame.UPRIGHT, 1)]
        if photo_names.orientation is not None:  # the orientation of the picture that the program saw
            candidates.append((Frame.ROTATED, photo_names.orientation))
            if photo_names.orientation != photo.orientation:  # the file was not rotated, only its display
                candidates.append((Frame.ROTATED, _INVERSE.get(photo_names.orientation, photo_names.orientation)))
    by_orientation: dict[int, FrameInterpretation] = {}
    for frame, orientation in candidates:
        if orientation not in by_orientation:
            by_orientation[orientation] = _interpret_as(photo_names, photo, faces, frame, orientation)
    interpretations = list(by_orientation.values())
    if interpretations[0].aspect_matches is False:
        interpretations.sort(key=lambda interpretation: not interpretation.aspect_matches)
    return interpretations


def infer_usual_frames(
    interpreted: Iterable[tuple[PhotoNames, Sequence[FrameInterpretation]]],
) -> dict[SourceScheme, Frame]:
    """Return the frame that nearly all photos of a source and scheme fit, if enough photos show it."""
    votes: dict[SourceScheme, Counter[Frame]] = defaultdict(Counter)
    for photo_names, interpretations in interpreted:
        scores = sorted(((candidate.score, candidate.frame) for candidate in interpretations), reverse=True)
        if len(scores) > 1 and scores[0][0] - scores[1][0] >= _CLEAR_MARGIN:
            votes[photo_names.source, photo_names.scheme][scores[0][1]] += 1
    return {
        source_scheme: frame
        for source_scheme, counts in votes.items()
        for frame, number in counts.most_common(1)
        if counts.total() >= _MIN_VOTES and number >= _MIN_AGREEMENT * counts.total()
    }


def choose_interpretation(
    photo_names: PhotoNames,
    photo: PhotoInfo,
    faces: Sequence[Box],
    interpretations: Sequence[FrameInterpretation],
    frame_by_scheme: Mapping[SourceScheme, Frame],
) -> FrameChoice:
    """Choose an interpretation.

    The one by the rule, or by the usual frame of the source, is chosen unless another fits clearly
    better, and not by chance.
    """
    usual = frame_by_scheme.get((photo_names.source, photo_names.scheme))
    if photo_names.applied_to and not any(candidate.aspect_matches for candidate in interpretations):
        choice = _choose_by_fit(photo_names, photo, faces, interpretations, usual)
    else:
        choice = _choose_by_rule(photo_names, photo, faces, interpretations, usual)
    chosen = choice.interpretation
    return replace(choice, is_certain=bool(chosen and _is_certain(photo_names, chosen, interpretations, usual)))


def _is_certain(
    photo_names: PhotoNames,
    chosen: FrameInterpretation,
    interpretations: Sequence[FrameInterpretation],
    usual: Frame | None,
) -> bool:
    """Is there evidence for the chosen frame, or no other that it could be?

    Evidence is, in this order: other boxes of the photo on faces, a picture of another aspect ratio (against it),
    our own record, the usual frame of the program, and the recorded size if it fits this frame alone.
    """
    rivals = [other for other in interpretations if other is not chosen]
    if photo_names.frame_certain or chosen.score > max((other.score for other in rivals), default=0) + _CLEAR_MARGIN:
        return True
    if chosen.aspect_matches is False:
        return False
    if not rivals or (photo_names.is_own and chosen.frame is Frame.STORED):
        return True
    if usual is not None:
        return usual is chosen.frame
    return bool(chosen.aspect_matches) and not any(other.aspect_matches for other in rivals)


def _choose_by_fit(
    photo_names: PhotoNames,
    photo: PhotoInfo,
    faces: Sequence[Box],
    interpretations: Sequence[FrameInterpretation],
    usual: Frame | None,
) -> FrameChoice:
    """Choose an interpretation if no frame has the recorded size."""
    rotated = _find_rotated(photo_names, photo, faces, interpretations)
    is_cropped = not any(_has_same_aspect(photo_names.applied_to, turn, photo.size) for turn in (1, 6))
    if is_cropped:
        best = max([*interpretations, *([rotated] if rotated else ())], key=lambda candidate: candidate.score)
        if best.fits_well():
            return FrameChoice(best)
        return FrameChoice(None, "the picture had another aspect ratio when its faces were marked")
    # The sides of the size are swapped, or the file was rotated later.
    choice = _choose_by_rule(photo_names, photo, faces, interpretations, usual)
    if rotated and (choice.interpretation is None or rotated.score > choice.interpretation.score + _CLEAR_MARGIN):
        return FrameChoice(rotated)
    return choice


def _choose_by_rule(
    photo_names: PhotoNames,
    photo: PhotoInfo,
    faces: Sequence[Box],
    interpretations: Sequence[FrameInterpretation],
    usual: Frame | None,
) -> FrameChoice:
    inconclusive = _is_size_inconclusive(interpretations)
    ordered = list(interpretations)
    if usual and inconclusive:
        ordered.sort(key=lambda candidate: candidate.frame is not usual)
    first, best = ordered[0], max(ordered, key=lambda candidate: candidate.score)
    if best.score > first.score + _CLEAR_MARGIN:
        by_chance = usual is not None and best.frame is not usual and len(best.pairs) < 2 and inconclusive
        first = first if by_chance else best
    if len(first.pairs) < len(photo_names.regions):
        rotated = _find_rotated(photo_names, photo, faces, interpretations)
        if rotated and rotated.score > first.score + 2 * _CLEAR_MARGIN:
            return FrameChoice(rotated)
    min_share = 1 / 3 if usual is first.frame else 1 / 2  # of the boxes that can have a face at all
    if 0 < len(first.pairs) < min_share * min(len(photo_names.regions), len(faces)):
        return FrameChoice(None, "most of the marked regions on this photo are on no face")
    rivals = (other for other in ordered if other.pairs != first.pairs and other.score >= 0.8 * first.score)
    if usual is None and inconclusive and any(rivals):
        return FrameChoice(None, "it fits the stored and the upright picture equally well, on different faces")
    return FrameChoice(first)


def _is_size_inconclusive(interpretations: Sequence[FrameInterpretation]) -> bool:
    """Does the recorded size match all interpretations or none?"""
    return len({candidate.aspect_matches for candidate in interpretations}) == 1


def _find_rotated(
    photo_names: PhotoNames,
    photo: PhotoInfo,
    faces: Sequence[Box],
    interpretations: Sequence[FrameInterpretation],
) -> FrameInterpretation | None:
    """Find the only quarter turn by which all boxes fit, if the file was rotated after the marking."""
    if photo_names.frame_certain or not faces:
        return None
    is_known_aspect = any(candidate.aspect_matches for candidate in interpretations)
    rotated = [_interpret_as(photo_names, photo, faces, Frame.ROTATED, orientation) for orientation in (1, 3, 6, 8)]
    fitting = [
        candidate
        for candidate in rotated
        if candidate.fits_well()
        and (len(candidate.pairs) > 1 or (bool(candidate.aspect_matches) and not is_known_aspect))
    ]
    return fitting[0] if len(fitting) == 1 else None


def _interpret_as(
    photo_names: PhotoNames, photo: PhotoInfo, faces: Sequence[Box], frame: Frame, orientation: int
) -> FrameInterpretation:
    boxes = tuple(upright_box(region.box, orientation) for region in photo_names.regions)
    width, height = photo.size
    scale = np.array([width, height, width, height], np.float64)
    fit = compute_fit(
        [tuple(box) for box in np.array(boxes).reshape(-1, 4) * scale],
        [tuple(face) for face in np.array(faces).reshape(-1, 4) * scale],
    )
    aspect_matches = _has_same_aspect(photo_names.applied_to, orientation, photo.size)
    return FrameInterpretation(frame, boxes, fit, match_boxes(fit), aspect_matches)


def _has_same_aspect(applied_to: tuple[int, int] | None, orientation: int, upright: tuple[int, int]) -> bool | None:
    if applied_to is None:
        return None
    width, height = applied_to[::-1] if orientation in (5, 6, 7, 8) else applied_to
    return abs(math.log(width / height) - math.log(upright[0] / upright[1])) < _ASPECT_TOLERANCE
