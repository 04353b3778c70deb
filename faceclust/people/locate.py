"""Finding the journal's faces among those in the library now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from faceclust.people.events import JournalFace
from faceclust.types import FacePlace

Box = tuple[float, float, float, float]

#: Boxes that overlap this much (IoU) on the same photo are the same face.
SAME_FACE_OVERLAP = 0.4
#: Boxes that overlap this much are the same even where nothing else says that it is one photo:
#: an edit of the metadata alone leaves the box as it is.
SAME_BOX_OVERLAP = 0.9


class FaceFinder:
    """Finds faces of the journal among `places`."""

    def __init__(self, places: Sequence[FacePlace]) -> None:
        self._present = {place.face_id for place in places}
        self._places = places
        self._by_hash: dict[str, list[FacePlace]] = {}
        self._by_path: dict[str, list[FacePlace]] = {}
        self._by_moment: dict[str, list[FacePlace]] = {}

    def find(self, face: JournalFace) -> tuple[str, bool] | None:
        """Its id here, and whether that is sure; None where it is not here.

        By its id; else on the photo with the same content (another detector may have drawn
        another box); else, the content having changed, by path and box: surely where the
        moment it was taken is the same too, or the box; else, path and content having changed,
        by moment and box.
        """
        if face.face_id in self._present:
            return face.face_id, True
        if not self._by_hash:
            self._index()
        if face.photo_hash in self._by_hash:
            found = _best(face.box, self._by_hash[face.photo_hash], SAME_FACE_OVERLAP)
            return (found.face_id, True) if found else None
        here = self._by_path.get(face.photo, [])
        return self._at_path(face, here) or (None if here else self._at_moment(face))

    def _index(self) -> None:
        self._by_hash, self._by_path, self._by_moment = defaultdict(list), defaultdict(list), defaultdict(list)
        for place in self._places:
            self._by_hash[place.photo_hash].append(place)
            self._by_path[place.photo].append(place)
            if place.taken_at:
                self._by_moment[place.taken_at.isoformat()].append(place)

    def _at_path(self, face: JournalFace, here: list[FacePlace]) -> tuple[str, bool] | None:
        same_moment = [place for place in here if place.taken_at and place.taken_at.isoformat() == face.taken_at]
        undated = [place for place in here if not (place.taken_at and face.taken_at)]
        if found := _best(face.box, same_moment, SAME_FACE_OVERLAP):
            return found.face_id, True
        if found := _best(face.box, undated, SAME_FACE_OVERLAP):
            return found.face_id, overlap(found.box, face.box) >= SAME_BOX_OVERLAP
        if found := _best(face.box, here, SAME_BOX_OVERLAP):
            return found.face_id, False  # the date was mended, or it is another photo
        for turned in _turned(face.box):
            if found := _best(turned, same_moment, SAME_FACE_OVERLAP):
                return found.face_id, False
        return None

    def _at_moment(self, face: JournalFace) -> tuple[str, bool] | None:
        found = _best(face.box, self._by_moment.get(face.taken_at or "", ()), SAME_BOX_OVERLAP)
        return (found.face_id, False) if found else None


def overlap(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def _best(box: Box, candidates: Iterable[FacePlace], at_least: float) -> FacePlace | None:
    best = max(candidates, key=lambda place: overlap(place.box, box), default=None)
    return best if best and overlap(best.box, box) >= at_least else None


def _turned(box: Box) -> list[Box]:
    """Where the box lies once the photo is turned right, left or upside down."""
    left, top, right, bottom = box
    return [
        (1 - bottom, left, 1 - top, right),
        (top, 1 - right, bottom, 1 - left),
        (1 - right, 1 - bottom, 1 - left, 1 - top),
    ]
