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

from faceclust.importers.box_matching import assign, fits
from faceclust.importers.values import Box, Frame, Words
from faceclust.types import PhotoFacts
from faceclust.xmp.values import upright_box

#: How much better another picture must fit, in overlaps, to go against the rule.
_CLEARLY = 0.25
#: How well each box must fit where more than the picture's frame has to be guessed.
_WELL = 0.6
_SAME_SHAPE = 0.05  # logarithm of the ratio of two ratios of width to height
#: Photos of one program that must agree on a frame, and the share of them that may not.
_VOTES, _AGREEING = 3, 0.8
#: A source and a scheme: what one program writes, it writes always alike.
Habit = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """The boxes, taken as relating to one picture. `boxes`: of the upright photo, fractions; `fit`:
    (boxes, faces); `pairs`: box → face; `shape`: whether the picture has the shape that the program
    wrote down, None where it wrote none."""

    frame: Frame
    boxes: tuple[Box, ...]
    fit: NDArray[np.float64]
    pairs: dict[int, int]
    shape: bool | None

    @property
    def score(self) -> float:
        return float(sum(self.fit[pair] for pair in self.pairs.items()))

    def fits_well(self) -> bool:
        """Whether every box is on a face, and how."""
        return len(self.pairs) == len(self.boxes) and self.score >= _WELL * len(self.boxes)


@dataclass(frozen=True)
class Choice:
    """The reading that counts; `doubt`: why none does, in words."""

    reading: Reading | None
    doubt: str = ""


def readings(words: Words, facts: PhotoFacts, faces: Sequence[Box]) -> list[Reading]:
    """The ways to take the boxes, the one by the rule first. `faces`: boxes of the faces found on the
    photo, fractions of the upright one."""
    ways = [(words.frame, facts.orientation if words.frame is Frame.STORED else 1)]
    if not words.sure:
        ways += [(Frame.STORED, facts.orientation), (Frame.UPRIGHT, 1)]
        if words.orientation is not None:  # that of the picture the program saw
            ways.append((Frame.TURNED, words.orientation))
    found: dict[int, Reading] = {}
    for frame, orientation in ways:
        if orientation not in found:
            found[orientation] = _read(words, facts, faces, frame, orientation)
    order = list(found.values())
    if order[0].shape is False:
        order.sort(key=lambda reading: not reading.shape)
    return order


def usual_frames(read: Iterable[tuple[Words, Sequence[Reading]]]) -> dict[Habit, Frame]:
    """For each source and scheme, the picture that nearly all of its boxes fit, where enough photos tell."""
    votes: dict[Habit, Counter[Frame]] = defaultdict(Counter)
    for words, ways in read:
        scores = sorted(((reading.score, reading.frame) for reading in ways), reverse=True)
        if len(scores) > 1 and scores[0][0] - scores[1][0] >= _CLEARLY:
            votes[words.source, words.scheme][scores[0][1]] += 1
    return {
        habit: frame
        for habit, counts in votes.items()
        for frame, number in counts.most_common(1)
        if counts.total() >= _VOTES and number >= _AGREEING * counts.total()
    }


def choose(
    words: Words, facts: PhotoFacts, faces: Sequence[Box], ways: Sequence[Reading], usual: Mapping[Habit, Frame]
) -> Choice:
    """The reading that counts: the one by the rule or the program's habit, unless another fits
    clearly better and that is no chance."""
    if words.applied_to and not any(reading.shape for reading in ways):
        return _choose_by_fit(words, facts, faces, ways, usual)
    return _choose(words, facts, faces, ways, usual.get((words.source, words.scheme)))


def _choose_by_fit(
    words: Words, facts: PhotoFacts, faces: Sequence[Box], ways: Sequence[Reading], usual: Mapping[Habit, Frame]
) -> Choice:
    """Where the size that was written down is of no picture there is now."""
    turned = _turned(words, facts, faces, ways)
    if not any(_shape(words.applied_to, orientation, facts.size) for orientation in (1, 6)):  # cropped
        best = max([*ways, *([turned] if turned else ())], key=lambda reading: reading.score)
        return Choice(best) if best.fits_well() else Choice(None, "the picture had another shape when it was marked")
    plain = _choose(words, facts, faces, ways, usual.get((words.source, words.scheme)))  # swapped, or turned since
    if turned and (plain.reading is None or turned.score > plain.reading.score + _CLEARLY):
        return Choice(turned)
    return plain


def _choose(
    words: Words, facts: PhotoFacts, faces: Sequence[Box], ways: Sequence[Reading], used: Frame | None
) -> Choice:
    ordered = sorted(ways, key=lambda reading: reading.frame is not used) if used and _silent(ways) else list(ways)
    first, best = ordered[0], max(ordered, key=lambda reading: reading.score)
    if best.score > first.score + _CLEARLY:
        chance = used is not None and best.frame is not used and len(best.pairs) < 2 and _silent(ways)
        first = first if chance else best
    if len(first.pairs) < len(words.regions):
        turned = _turned(words, facts, faces, ways)
        if turned and turned.score > first.score + 2 * _CLEARLY:
            return Choice(turned)
    enough = 1 / 3 if used is first.frame else 1 / 2  # of what can be matched at all
    if 0 < len(first.pairs) < enough * min(len(words.regions), len(faces)):
        return Choice(None, "most of what was marked on this photo is on no face")
    rivals = (other for other in ordered if other.pairs != first.pairs and other.score >= 0.8 * first.score)
    if used is None and _silent(ways) and any(rivals):
        return Choice(None, "it fits the stored picture and the upright one alike, on different faces")
    return Choice(first)


def _silent(ways: Sequence[Reading]) -> bool:
    """Whether the size that was written down says nothing of which one is right."""
    return len({reading.shape for reading in ways}) == 1


def _turned(words: Words, facts: PhotoFacts, faces: Sequence[Box], ways: Sequence[Reading]) -> Reading | None:
    """The file was turned after the faces were marked: the only quarter turn by which all fit."""
    if words.sure or not faces:
        return None
    turned = [_read(words, facts, faces, Frame.TURNED, orientation) for orientation in (1, 3, 6, 8)]
    told = [reading for reading in turned if reading.shape and not any(way.shape for way in ways)]
    fitting = [reading for reading in turned if reading.fits_well() and (len(reading.pairs) > 1 or reading in told)]
    return fitting[0] if len(fitting) == 1 else None


def _read(words: Words, facts: PhotoFacts, faces: Sequence[Box], frame: Frame, orientation: int) -> Reading:
    boxes = tuple(upright_box(region.box, orientation) for region in words.regions)
    width, height = facts.size
    scale = np.array([width, height, width, height], np.float64)
    fit = fits(
        [tuple(box) for box in np.array(boxes).reshape(-1, 4) * scale],
        [tuple(face) for face in np.array(faces).reshape(-1, 4) * scale],
    )
    return Reading(frame, boxes, fit, assign(fit), _shape(words.applied_to, orientation, facts.size))


def _shape(applied_to: tuple[int, int] | None, orientation: int, upright: tuple[int, int]) -> bool | None:
    if applied_to is None:
        return None
    width, height = applied_to[::-1] if orientation in (5, 6, 7, 8) else applied_to
    return abs(math.log(width / height) - math.log(upright[0] / upright[1])) < _SAME_SHAPE
