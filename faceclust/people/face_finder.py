"""Finding the journal's faces among those in the library now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from faceclust.people.events import IRREVERSIBLE_KINDS, Event, JournalFace, effective_events
from faceclust.types import Box, FaceOccurrence, intersection_over_union

#: Boxes that overlap this much (IoU) on the same photo are the same face.
SAME_FACE_OVERLAP = 0.4
#: Boxes that overlap this much are the same even where nothing else says that it is one photo:
#: an edit of the metadata alone leaves the box as it is.
SAME_BOX_OVERLAP = 0.9


class FaceFinder:
    """Finds faces of the journal among `places`. `became`: what a face (by its id) was found to be
    after its photo had been edited."""

    def __init__(self, places: Sequence[FaceOccurrence], successors: Mapping[str, JournalFace] | None = None) -> None:
        self._present = {place.face_id for place in places}
        self._places, self._successors = places, successors or {}
        self._by_hash: dict[str, list[FaceOccurrence]] = {}
        self._by_path: dict[str, list[FaceOccurrence]] = {}
        self._by_time: dict[str, list[FaceOccurrence]] = {}
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
            hits = ((self._find_directly(step), sure) for step, sure in reversed(self.edit_history(face)))
            self._found[face] = next(((hit[0], hit[1] and sure) for hit, sure in hits if hit), None)
        return self._found[face]

    def edit_history(self, face: JournalFace) -> list[tuple[JournalFace, bool]]:
        """The face and what it became, step by step, each with whether that is sure."""
        steps, ids = [(face, True)], {face.face_id}
        while (step := self._successors.get(steps[-1][0].face_id)) and step.face_id not in ids:
            ids.add(step.face_id)
            steps.append((step, steps[-1][1] and step.confirmed))
        return steps

    def _find_directly(self, face: JournalFace) -> tuple[str, bool] | None:
        if face.face_id in self._present:
            return face.face_id, True
        if not self._by_hash:
            self._build_index()
        if face.photo_hash in self._by_hash:
            found = _best_overlap(face.box, self._by_hash[face.photo_hash], SAME_FACE_OVERLAP)
            return (found.face_id, True) if found else None
        here = self._by_path.get(face.photo, [])
        return self._find_by_path(face, here) or (None if here else self._find_by_time(face))

    def _build_index(self) -> None:
        self._by_hash, self._by_path, self._by_time = defaultdict(list), defaultdict(list), defaultdict(list)
        for place in self._places:
            self._by_hash[place.photo_hash].append(place)
            self._by_path[place.photo].append(place)
            if place.taken_at:
                self._by_time[place.taken_at.isoformat()].append(place)

    def _find_by_path(self, face: JournalFace, here: list[FaceOccurrence]) -> tuple[str, bool] | None:
        same_moment = [place for place in here if place.taken_at and place.taken_at.isoformat() == face.taken_at]
        undated = [place for place in here if not (place.taken_at and face.taken_at)]
        if found := _best_overlap(face.box, same_moment, SAME_FACE_OVERLAP):
            return found.face_id, True
        if found := _best_overlap(face.box, undated, SAME_FACE_OVERLAP):
            return found.face_id, intersection_over_union(found.box, face.box) >= SAME_BOX_OVERLAP
        if found := _best_overlap(face.box, here, SAME_BOX_OVERLAP):
            return found.face_id, False  # the date was mended, or it is another photo
        return None

    def _find_by_time(self, face: JournalFace) -> tuple[str, bool] | None:
        found = _best_overlap(face.box, self._by_time.get(face.taken_at or "", ()), SAME_BOX_OVERLAP)
        return (found.face_id, False) if found else None


def recorded_successors(events: Iterable[Event]) -> dict[str, JournalFace]:
    """What the journal says faces have become, by the id they had."""
    return {
        old.face_id: new
        for event in events
        if event.kind == "found"
        for old, new in zip(event.rest, event.faces, strict=False)
    }


def find_changed_faces(
    events: Iterable[Event], places: Sequence[FaceOccurrence]
) -> list[tuple[JournalFace, JournalFace]]:
    """Faces of the journal that are here as other ones than it knows, on photos of another content: as
    it knows them, and as they are (not `confirmed` where that is not sure). Those on a photo of the
    same content, in which other models drew another box, are found by it ever again."""
    events = effective_events(events)
    finder = FaceFinder(places, recorded_successors(events))
    place_of = {place.face_id: place for place in places}
    known = {face.face_id: face for event in events if event.kind not in IRREVERSIBLE_KINDS for face in event.all_faces}
    forgotten = {face.face_id for event in events if event.kind == "forget" for face in event.faces}
    found = []
    for face in (face for id, face in known.items() if id not in forgotten):
        here, (latest, _) = finder.find(face), finder.edit_history(face)[-1]
        if here and here[0] not in (face.face_id, latest.face_id):
            now = JournalFace.from_occurrence(place_of[here[0]], confirmed=here[1])
            if now.photo_hash != latest.photo_hash:
                found.append((latest, now))
    return found


def _best_overlap(box: Box, candidates: Iterable[FaceOccurrence], at_least: float) -> FaceOccurrence | None:
    best = max(candidates, key=lambda place: intersection_over_union(place.box, box), default=None)
    return best if best and intersection_over_union(best.box, box) >= at_least else None
