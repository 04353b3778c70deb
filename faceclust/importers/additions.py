"""Plan faces to draw by hand, for names that other programs have at places where no face was found.

Only what is beyond doubt is planned, because nobody looks at it before it is entered: the place of the region
is certain, and neither the user's answers nor other names on the photo contradict it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from faceclust.importers.library_names import LibraryNames
from faceclust.importers.plan import FaceAddition, UnplacedName
from faceclust.people.names import person_key
from faceclust.types import (
    BOX_DECIMALS,
    MIN_DRAWN_SIZE,
    SAME_FACE_OVERLAP,
    WHOLE_PHOTO,
    Box,
    intersection_over_union,
)

#: Names without a found face on one photo, and faces to draw in one import. More are not a person's work.
MAX_FACES_A_PHOTO, MAX_ADDITIONS = 100, 100_000
#: Boxes without a face that are looked at on one photo: the last ones.
_MAX_REFUSED_BOXES = 1000
NO_FACE_FOUND = "no face was found there"


@dataclass(frozen=True)
class UnmatchedRegion:
    """A named region without a found face. `is_certain`: its place on the photo is beyond doubt."""

    unplaced: UnplacedName
    source: str
    confirmed: bool
    is_certain: bool

    @property
    def key(self) -> str:
        return person_key(self.unplaced.name)


class AdditionPlanner:
    """Plans faces to draw on the photos of a library.

    `named` has the (photo, key) of the names that other programs gave to found faces. `spell` returns the spelling of
    a key.
    """

    def __init__(self, known: LibraryNames, named: Iterable[tuple[str, str]], spell: Callable[[str], str]) -> None:
        self._photos, self._known, self._answers, self._spell = known.photos, known, known.by_hand, spell
        self._keys_on: dict[str, set[str]] = defaultdict(set)  # content hash → keys of the people on the photo
        for photo, key in named:
            self._keys_on[self._photos[photo].photo_hash].add(key)
        self._counts: dict[str, int] = defaultdict(int)
        self._total = 0

    def plan_drawn(self, regions: Iterable[UnmatchedRegion]) -> tuple[list[FaceAddition], list[UnplacedName]]:
        """Return the faces to draw, and the other regions, with the reasons."""
        by_photo: dict[str, list[UnmatchedRegion]] = defaultdict(list)
        for region in regions:
            by_photo[self._photos[region.unplaced.photo].photo_hash].append(region)
        additions, others = [], list[UnplacedName]()
        for photo_hash, found in by_photo.items():
            boxes: dict[UnmatchedRegion, Box] = {}
            reasons = dict.fromkeys(found, f"more than {MAX_FACES_A_PHOTO} names on this photo have no face")
            if len(found) <= MAX_FACES_A_PHOTO:
                for region in found:
                    boxes[region], reasons[region] = self._check(region)
                reasons |= _find_contradictions({one: box for one, box in boxes.items() if not reasons[one]})
            fitting = [region for region in found if not reasons[region]]
            new = self._merge_same(fitting, boxes)
            if self._total + len(new) > MAX_ADDITIONS:
                new, reasons = [], dict.fromkeys(found, f"there are more than {MAX_ADDITIONS:,} such names")
            self._count(photo_hash, new)
            additions += new
            # The same face in a notation that leaves the orientation open needs no mention.
            entered = {person_key(one.name) for one in new}
            others += [
                replace(region.unplaced, why=reason)
                for region, reason in reasons.items()
                if reason and (region.is_certain or region.key not in entered)
            ]
        return additions, others

    def plan_whole(self, photo: str, key: str, source: str) -> FaceAddition | None:
        """Return a person whose face is not to be seen on the photo; None if that cannot be entered."""
        photo_hash = self._photos[photo].photo_hash
        if (
            self.is_on_photo(photo, key)
            or key in self._answers.withdrawn.get(photo_hash, ())
            or self._counts[photo_hash] >= MAX_FACES_A_PHOTO
            or self._total >= MAX_ADDITIONS
            or is_face_id(key)
        ):
            return None
        addition = FaceAddition(photo, self._spell(key), WHOLE_PHOTO, (source,))
        self._count(photo_hash, [addition])
        return addition

    def is_on_photo(self, photo: str, key: str) -> bool:
        """Is a face of this photo named so, or about to be?"""
        return key in self._keys_on[self._photos[photo].photo_hash] or key in self._known.keys_on(photo)

    def _count(self, photo_hash: str, additions: Sequence[FaceAddition]) -> None:
        self._counts[photo_hash] += len(additions)
        self._total += len(additions)
        self._keys_on[photo_hash].update(person_key(addition.name) for addition in additions)

    def _check(self, region: UnmatchedRegion) -> tuple[Box, str]:
        """Return the box to draw, and the reason against it, "" without one."""
        unplaced = region.unplaced
        photo = self._photos[unplaced.photo]
        if unplaced.box is None:
            return WHOLE_PHOTO, unplaced.why
        box = _fit_box(unplaced.box, photo.size)
        if not region.is_certain:
            return WHOLE_PHOTO, f"{NO_FACE_FOUND}, and the photo may have been turned since"
        if box is None:
            return WHOLE_PHOTO, f"{NO_FACE_FOUND}, and the region is too small, outside the photo or all of it"
        for refused, reason in self._answers.refused_boxes.get(photo.photo_hash, ())[-_MAX_REFUSED_BOXES:]:
            if intersection_over_union(refused, box) >= SAME_FACE_OVERLAP:
                return box, reason
        on_photo = (face for face in self._known.faces.get(unplaced.photo, ()) if not face.is_whole_photo)
        if any(intersection_over_union(face.box, box) >= SAME_FACE_OVERLAP for face in on_photo):
            return box, "it overlaps the face of another region"
        if self.is_on_photo(unplaced.photo, region.key):
            return box, f"{NO_FACE_FOUND}, and another face of this photo is {self._spell(region.key)}"
        if is_face_id(region.key):
            return box, "the name would be read as a face id"
        return box, ""

    def _merge_same(
        self, regions: Iterable[UnmatchedRegion], boxes: Mapping[UnmatchedRegion, Box]
    ) -> list[FaceAddition]:
        """Return one face for the regions of each name, which several files or notations have."""
        same: dict[str, list[UnmatchedRegion]] = defaultdict(list)
        for region in regions:
            same[region.key].append(region)
        return [
            FaceAddition(
                found[0].unplaced.photo,
                self._spell(key),
                boxes[found[0]],
                tuple(sorted({region.source for region in found})),
                any(region.confirmed for region in found),
            )
            for key, found in same.items()
        ]


def _find_contradictions(boxes: Mapping[UnmatchedRegion, Box]) -> dict[UnmatchedRegion, str]:
    """Return the regions of one photo that contradict each other, with the reasons."""
    reasons: dict[UnmatchedRegion, str] = {}
    for one, box in boxes.items():
        for other, other_box in boxes.items():
            same_place = intersection_over_union(box, other_box) >= SAME_FACE_OVERLAP
            if same_place and one.key != other.key:
                reasons[one] = "one place, several names"
            elif not same_place and one.key == other.key:
                reasons[one] = "one name, several regions without a face"
    return reasons


def _fit_box(box: Box, size: tuple[int, int]) -> Box | None:
    """Return the part of a box (in fractions) that is on the photo, rounded; None if its centre is not, if it is too
    small, or if it is the whole photo."""
    left, top, right, bottom = box
    if not (0 <= (left + right) / 2 <= 1 and 0 <= (top + bottom) / 2 <= 1):
        return None
    left, top = (round(max(side, 0.0), BOX_DECIMALS) for side in (left, top))
    right, bottom = (round(min(side, 1.0), BOX_DECIMALS) for side in (right, bottom))
    if (right - left) * size[0] < MIN_DRAWN_SIZE or (bottom - top) * size[1] < MIN_DRAWN_SIZE:
        return None
    return None if (left, top, right, bottom) == WHOLE_PHOTO else (left, top, right, bottom)


def is_face_id(name: str) -> bool:
    """Would the name be read as the id of a face?"""
    return re.fullmatch("[0-9a-f]{16}", name) is not None
