"""Finding the journal's faces among those in the library now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from faceclust.people.events import LASTING, Event, JournalFace, effective
from faceclust.types import FacePlace

Box = tuple[float, float, float, float]

#: Boxes that overlap this much (IoU) on the same photo are the same face.
SAME_FACE_OVERLAP = 0.4
#: Boxes that overlap this much are the same even where nothing else says that it is one photo:
#: an edit of the metadata alone leaves the box as it is.
SAME_BOX_OVERLAP = 0.9


class FaceFinder:
    """Finds faces of the journal among `places`. `became`: what a face (by its id) was found to be
    after its photo had been edited."""

    def __init__(self, places: Sequence[FacePlace], became: Mapping[str, JournalFace] | None = None) -> None:
        self._present = {place.face_id for place in places}
        self._places, self._became = places, became or {}
        self._by_hash: dict[str, list[FacePlace]] = {}
        self._by_path: dict[str, list[FacePlace]] = {}
        self._by_moment: dict[str, list[FacePlace]] = {}
        self._found: dict[JournalFace, tuple[str, bool] | None] = {}

    def find(self, face: JournalFace) -> tuple[str, bool] | None:
        """Its id here, and whether that is sure; None where it is not here.

        As what it has become, else as what it was: by its id; else on the photo with the same
        content (another detector may have drawn another box); else, the content having changed,
        by path and box: surely where the moment it was taken is the same too, or the box; else,
        path and content having changed, by moment and box.
        """
        if face.face_id in self._present:
            return face.face_id, True
        if face not in self._found:
            hits = ((self._as_it_was(step), sure) for step, sure in reversed(self.trail(face)))
            self._found[face] = next(((hit[0], hit[1] and sure) for hit, sure in hits if hit), None)
        return self._found[face]

    def trail(self, face: JournalFace) -> list[tuple[JournalFace, bool]]:
        """The face and what it became, step by step, each with whether that is sure."""
        steps, ids = [(face, True)], {face.face_id}
        while (step := self._became.get(steps[-1][0].face_id)) and step.face_id not in ids:
            ids.add(step.face_id)
            steps.append((step, steps[-1][1] and step.confirmed))
        return steps

    def _as_it_was(self, face: JournalFace) -> tuple[str, bool] | None:
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
        return None

    def _at_moment(self, face: JournalFace) -> tuple[str, bool] | None:
        found = _best(face.box, self._by_moment.get(face.taken_at or "", ()), SAME_BOX_OVERLAP)
        return (found.face_id, False) if found else None


def found_before(events: Iterable[Event]) -> dict[str, JournalFace]:
    """What the journal says faces have become, by the id they had."""
    return {
        old.face_id: new
        for event in events
        if event.kind == "found"
        for old, new in zip(event.rest, event.faces, strict=False)
    }


def newly_found(events: Iterable[Event], places: Sequence[FacePlace]) -> list[tuple[JournalFace, JournalFace]]:
    """Faces of the journal that are here as other ones than it knows, on photos of another content: as
    it knows them, and as they are (not `confirmed` where that is not sure). Those on a photo of the
    same content, in which other models drew another box, are found by it ever again."""
    events = effective(events)
    finder = FaceFinder(places, found_before(events))
    place_of = {place.face_id: place for place in places}
    known = {face.face_id: face for event in events if event.kind not in LASTING for face in event.all_faces}
    forgotten = {face.face_id for event in events if event.kind == "forget" for face in event.faces}
    found = []
    for face in (face for id, face in known.items() if id not in forgotten):
        here, (latest, _) = finder.find(face), finder.trail(face)[-1]
        if here and here[0] not in (face.face_id, latest.face_id):
            now = JournalFace.of(place_of[here[0]], confirmed=here[1])
            if now.photo_hash != latest.photo_hash:
                found.append((latest, now))
    return found


def overlap(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def _best(box: Box, candidates: Iterable[FacePlace], at_least: float) -> FacePlace | None:
    best = max(candidates, key=lambda place: overlap(place.box, box), default=None)
    return best if best and overlap(best.box, box) >= at_least else None
