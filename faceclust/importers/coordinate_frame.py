"""Which picture the boxes of a program relate to: decided by what fits the found faces.

The rule (MWG guidelines 2.0) is the stored picture, before the EXIF orientation. Programs break it
both ways, photos are turned after their faces were marked, and sizes that were written down are
missing or swapped.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.importers.box_matching import compute_fit, match_boxes
from faceclust.importers.values import Frame, PhotoNames
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.values import upright_box

#: How much better another picture must fit, in overlaps, to go against the rule.
_CLEAR_MARGIN = 0.25
#: How well each box must fit where more than the picture's frame has to be guessed.
_MIN_MEAN_FIT = 0.6
_ASPECT_TOLERANCE = 0.05  # logarithm of the ratio of two ratios of width to height
#: Photos of one program that must agree on a frame, and the share of them that may not.
_MIN_VOTES, _MIN_AGREEMENT = 3, 0.8
#: A source and a scheme: what one program writes, it writes always alike.
SourceScheme = tuple[str, str]


@dataclass(frozen=True)
class FrameInterpretation:
    """The boxes, taken as relating to one picture. `boxes`: of the upright photo, fractions; `fit`:
    (boxes, faces); `pairs`: box → face; `shape`: whether the picture has the shape that the program
    wrote down, None where it wrote none."""

    frame: Frame
    boxes: tuple[Box, ...]
    fit: NDArray[np.float64]
    pairs: dict[int, int]
    aspect_matches: bool | None

    @property
    def score(self) -> float:
        return float(sum(self.fit[pair] for pair in self.pairs.items()))

    def fits_well(self) -> bool:
        """Whether every box is on a face, and how."""
        return len(self.pairs) == len(self.boxes) and self.score >= _MIN_MEAN_FIT * len(self.boxes)


@dataclass(frozen=True)
class FrameChoice:
    """The reading that counts; `doubt`: why none does, in words."""

    interpretation: FrameInterpretation | None
    undecided_reason: str = ""


def interpret_boxes(photo_names: PhotoNames, facts: PhotoInfo, faces: Sequence[Box]) -> list[FrameInterpretation]:
    """The ways to take the boxes, the one by the rule first. `faces`: boxes of the faces found on the
    photo, fractions of the upright one."""
    ways = [(photo_names.frame, facts.orientation if photo_names.frame is Frame.STORED else 1)]
    if not photo_names.frame_certain:
        ways += [(Frame.STORED, facts.orientation), (Frame.UPRIGHT, 1)]
        if photo_names.orientation is not None:  # that of the picture the program saw
            ways.append((Frame.ROTATED, photo_names.orientation))
    found: dict[int, FrameInterpretation] = {}
    for frame, orientation in ways:
        if orientation not in found:
            found[orientation] = _interpret_as(photo_names, facts, faces, frame, orientation)
    order = list(found.values())
    if order[0].aspect_matches is False:
        order.sort(key=lambda reading: not reading.aspect_matches)
    return order


def infer_usual_frames(
    interpreted: Iterable[tuple[PhotoNames, Sequence[FrameInterpretation]]],
) -> dict[SourceScheme, Frame]:
    """For each source and scheme, the picture that nearly all of its boxes fit, where enough photos tell."""
    votes: dict[SourceScheme, Counter[Frame]] = defaultdict(Counter)
    for words, ways in interpreted:
        scores = sorted(((reading.score, reading.frame) for reading in ways), reverse=True)
        if len(scores) > 1 and scores[0][0] - scores[1][0] >= _CLEAR_MARGIN:
            votes[words.source, words.scheme][scores[0][1]] += 1
    return {
        habit: frame
        for habit, counts in votes.items()
        for frame, number in counts.most_common(1)
        if counts.total() >= _MIN_VOTES and number >= _MIN_AGREEMENT * counts.total()
    }


def choose_interpretation(
    photo_names: PhotoNames,
    facts: PhotoInfo,
    faces: Sequence[Box],
    interpretations: Sequence[FrameInterpretation],
    frame_by_scheme: Mapping[SourceScheme, Frame],
) -> FrameChoice:
    """The reading that counts: the one by the rule or the program's habit, unless another fits
    clearly better and that is no chance."""
    if photo_names.applied_to and not any(reading.aspect_matches for reading in interpretations):
        return _choose_by_fit(photo_names, facts, faces, interpretations, frame_by_scheme)
    return _choose_by_rule(
        photo_names, facts, faces, interpretations, frame_by_scheme.get((photo_names.source, photo_names.scheme))
    )


def _choose_by_fit(
    words: PhotoNames,
    facts: PhotoInfo,
    faces: Sequence[Box],
    ways: Sequence[FrameInterpretation],
    usual: Mapping[SourceScheme, Frame],
) -> FrameChoice:
    """Where the size that was written down is of no picture there is now."""
    turned = _find_rotated(words, facts, faces, ways)
    if not any(_has_same_aspect(words.applied_to, orientation, facts.size) for orientation in (1, 6)):  # cropped
        best = max([*ways, *([turned] if turned else ())], key=lambda reading: reading.score)
        return (
            FrameChoice(best)
            if best.fits_well()
            else FrameChoice(None, "the picture had another shape when it was marked")
        )
    plain = _choose_by_rule(
        words, facts, faces, ways, usual.get((words.source, words.scheme))
    )  # swapped, or turned since
    if turned and (plain.interpretation is None or turned.score > plain.interpretation.score + _CLEAR_MARGIN):
        return FrameChoice(turned)
    return plain


def _choose_by_rule(
    words: PhotoNames, facts: PhotoInfo, faces: Sequence[Box], ways: Sequence[FrameInterpretation], used: Frame | None
) -> FrameChoice:
    ordered = (
        sorted(ways, key=lambda reading: reading.frame is not used)
        if used and _is_size_inconclusive(ways)
        else list(ways)
    )
    first, best = ordered[0], max(ordered, key=lambda reading: reading.score)
    if best.score > first.score + _CLEAR_MARGIN:
        chance = used is not None and best.frame is not used and len(best.pairs) < 2 and _is_size_inconclusive(ways)
        first = first if chance else best
    if len(first.pairs) < len(words.regions):
        turned = _find_rotated(words, facts, faces, ways)
        if turned and turned.score > first.score + 2 * _CLEAR_MARGIN:
            return FrameChoice(turned)
    enough = 1 / 3 if used is first.frame else 1 / 2  # of what can be matched at all
    if 0 < len(first.pairs) < enough * min(len(words.regions), len(faces)):
        return FrameChoice(None, "most of what was marked on this photo is on no face")
    rivals = (other for other in ordered if other.pairs != first.pairs and other.score >= 0.8 * first.score)
    if used is None and _is_size_inconclusive(ways) and any(rivals):
        return FrameChoice(None, "it fits the stored picture and the upright one alike, on different faces")
    return FrameChoice(first)


def _is_size_inconclusive(ways: Sequence[FrameInterpretation]) -> bool:
    """Whether the size that was written down says nothing of which one is right."""
    return len({reading.aspect_matches for reading in ways}) == 1


def _find_rotated(
    words: PhotoNames, facts: PhotoInfo, faces: Sequence[Box], ways: Sequence[FrameInterpretation]
) -> FrameInterpretation | None:
    """The file was turned after the faces were marked: the only quarter turn by which all fit."""
    if words.frame_certain or not faces:
        return None
    turned = [_interpret_as(words, facts, faces, Frame.ROTATED, orientation) for orientation in (1, 3, 6, 8)]
    told = [reading for reading in turned if reading.aspect_matches and not any(way.aspect_matches for way in ways)]
    fitting = [reading for reading in turned if reading.fits_well() and (len(reading.pairs) > 1 or reading in told)]
    return fitting[0] if len(fitting) == 1 else None


def _interpret_as(
    words: PhotoNames, facts: PhotoInfo, faces: Sequence[Box], frame: Frame, orientation: int
) -> FrameInterpretation:
    boxes = tuple(upright_box(region.box, orientation) for region in words.regions)
    width, height = facts.size
    scale = np.array([width, height, width, height], np.float64)
    fit = compute_fit(
        [tuple(box) for box in np.array(boxes).reshape(-1, 4) * scale],
        [tuple(face) for face in np.array(faces).reshape(-1, 4) * scale],
    )
    return FrameInterpretation(
        frame, boxes, fit, match_boxes(fit), _has_same_aspect(words.applied_to, orientation, facts.size)
    )


def _has_same_aspect(applied_to: tuple[int, int] | None, orientation: int, upright: tuple[int, int]) -> bool | None:
    if applied_to is None:
        return None
    width, height = applied_to[::-1] if orientation in (5, 6, 7, 8) else applied_to
    return abs(math.log(width / height) - math.log(upright[0] / upright[1])) < _ASPECT_TOLERANCE
