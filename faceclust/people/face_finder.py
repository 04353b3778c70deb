"""Find the journal's faces among those in the library."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from faceclust.people.events import IRREVERSIBLE_KINDS, Event, JournalFace, effective_events
from faceclust.people.hand_edits import HandEdits, replay_hand_edits
from faceclust.types import SAME_FACE_OVERLAP, WHOLE_PHOTO, FaceOccurrence, intersection_over_union
from faceclust.types.frames import is_same_frame

#: Boxes with at least this intersection over union are the same face even without other evidence that
#: the photo is the same: an edit of the metadata does not change the box.
SAME_BOX_OVERLAP = 0.9


class FaceFinder:
    """Find faces of the journal among `occurrences`.

    `successors` maps a face id to the face it became when its photo was edited or its box was moved.
    """

    def __init__(
        self, occurrences: Sequence[FaceOccurrence], successors: Mapping[str, JournalFace] | None = None
    ) -> None:
        self._present = {occurrence.face_id for occurrence in occurrences}
        self.occurrences, self._successors = occurrences, successors or {}
        self._by_path: dict[str, list[FaceOccurrence]] = {}
        self._by_time: dict[str, list[FaceOccurrence]] = {}
        # Kept for each face, since a hostile journal may have long chains of successors.
        self._found: dict[JournalFace, tuple[str, bool] | None] = {}
        self._latest: dict[JournalFace, JournalFace] = {}

    def find(self, face: JournalFace) -> tuple[str, bool] | None:
        """Return the face's current id and whether the match is certain; None if it is not found.

        The latest successor is tried first, then its predecessors. Each is tried in this order:

        1. by id (certain);
        2. by box on a photo with the same content (certain), as detectors draw different boxes;
        3. by path and box, if the content changed: certain if the time is the same too, or if it
           is unknown and the box is nearly identical;
        4. by time and box, if path and content changed (not certain).

        A person on a whole photo is nobody else on it: the id decides. Boxes of a video are compared within
        the frame.
        """
        if face.face_id in self._present:
            return face.face_id, True
        steps = self._steps_until(face, self._found)
        if steps[-1] not in self._found:
            self._found[steps[-1]] = self._find_directly(steps[-1])
        for step, became in zip(reversed(steps[:-1]), reversed(steps[1:]), strict=True):
            later = self._found[became]
            self._found[step] = (later[0], later[1] and became.confirmed) if later else self._find_directly(step)
        return self._found[face]

    def latest(self, face: JournalFace) -> JournalFace:
        """Return the last successor of a face, or the face itself."""
        *before, last = self._steps_until(face, self._latest)
        last = self._latest.get(last, last)
        if last.face_id not in self._successors:  # not in a circle, in which each face has another last successor
            self._latest.update(dict.fromkeys(before, last))
        return last

    def _steps_until(self, face: JournalFace, known: Mapping[JournalFace, object]) -> list[JournalFace]:
        """Return the face and its successors in order, up to the first that is `known`."""
        steps, ids = [face], {face.face_id}
        while steps[-1] not in known and (step := self._successors.get(steps[-1].face_id)) and step.face_id not in ids:
            ids.add(step.face_id)
            steps.append(step)
        return steps

    def _find_directly(self, face: JournalFace) -> tuple[str, bool] | None:
        if face.face_id in self._present:
            return face.face_id, True
        if face.photo_hash in self._by_hash:
            found = _best_overlap(face, self._by_hash[face.photo_hash], SAME_FACE_OVERLAP)
            return (found.face_id, True) if found else None
        if not self._by_path:
            self._build_index()
        similar = self._by_path.get(_compose(face.photo), [])
        on_path = [occurrence for occurrence in similar if occurrence.photo == face.photo] or similar
        return self._find_by_path(face, on_path) or (None if on_path else self._find_by_time(face))

    def faces_on_photo(self, photo_hash: str) -> Sequence[FaceOccurrence]:
        """Return the occurrences on the photos with this content."""
        return self._by_hash.get(photo_hash, ())

    @cached_property
    def _by_hash(self) -> dict[str, list[FaceOccurrence]]:
        by_hash: dict[str, list[FaceOccurrence]] = {}
        for occurrence in self.occurrences:
            by_hash.setdefault(occurrence.photo_hash, []).append(occurrence)
        return by_hash

    def _build_index(self) -> None:
        self._by_path, self._by_time = defaultdict(list), defaultdict(list)
        for occurrence in self.occurrences:
            self._by_path[_compose(occurrence.photo)].append(occurrence)
            if occurrence.taken_at:
                self._by_time[occurrence.taken_at.isoformat()].append(occurrence)

    def _find_by_path(self, face: JournalFace, on_path: list[FaceOccurrence]) -> tuple[str, bool] | None:
        same_time = [
            occurrence
            for occurrence in on_path
            if occurrence.taken_at and occurrence.taken_at.isoformat() == face.taken_at
        ]
        undated = [occurrence for occurrence in on_path if not (occurrence.taken_at and face.taken_at)]
        if found := _best_overlap(face, same_time, SAME_FACE_OVERLAP):
            return found.face_id, True
        if found := _best_overlap(face, undated, SAME_FACE_OVERLAP):
            return found.face_id, intersection_over_union(found.box, face.box) >= SAME_BOX_OVERLAP
        if found := _best_overlap(face, on_path, SAME_BOX_OVERLAP):
            return found.face_id, False  # either the date was corrected, or it is a different photo
        return None

    def _find_by_time(self, face: JournalFace) -> tuple[str, bool] | None:
        found = _best_overlap(face, self._by_time.get(face.taken_at or "", ()), SAME_BOX_OVERLAP)
        return (found.face_id, False) if found else None


def found_again(events: Iterable[Event]) -> dict[str, JournalFace]:
    """Return the faces that "found" events record, by the id of the face they replaced."""
    return {
        old.face_id: new
        for event in events
        if event.kind == "found"
        for old, new in zip(event.rest, event.faces, strict=False)
    }


def recorded_successors(events: Iterable[Event], edits: HandEdits) -> dict[str, JournalFace]:
    """Return what faces became, by the id of the face they replaced: found again, or as a box that was moved."""
    return {**found_again(events), **edits.moved_to}


def find_changed_faces(
    events: Iterable[Event], occurrences: Sequence[FaceOccurrence], removed: Sequence[FaceOccurrence] = ()
) -> list[tuple[JournalFace, JournalFace]]:
    """Return faces of the journal whose photo was edited since: as recorded last, and as they are now.

    `removed` are the stored faces that are hidden because the user removed them, `occurrences` all others.
    The faces as they are now are not `confirmed` if the match is not certain. Faces on a photo with the
    same content need no record, because the content identifies them: only the box of another model differs.
    """
    events = effective_events(events)
    edits = replay_hand_edits(events)
    answered = [event for event in events if event.kind not in IRREVERSIBLE_KINDS]
    recorded = {face.face_id: face for event in answered for face in event.all_faces}
    forgotten = {face.face_id for event in events if event.kind == "forget" for face in event.faces}
    remaining = [face for id, face in recorded.items() if id not in forgotten and id not in edits.removed]
    finder = FaceFinder(occurrences, recorded_successors(events, edits))
    changed = _find_changed(remaining, finder, occurrences)
    if removed:
        gone = [face for id, face in edits.removed.items() if id not in forgotten]
        changed += _find_changed(gone, FaceFinder(removed, found_again(events)), removed)
    return changed + _find_edited_whole_photos(edits, occurrences)


def _find_changed(
    faces: Iterable[JournalFace], finder: FaceFinder, occurrences: Iterable[FaceOccurrence]
) -> list[tuple[JournalFace, JournalFace]]:
    occurrence_of = {occurrence.face_id: occurrence for occurrence in occurrences}
    changed: dict[JournalFace, JournalFace] = {}
    for face in faces:
        match, latest = finder.find(face), finder.latest(face)
        if match and match[0] not in (face.face_id, latest.face_id):
            current = JournalFace.from_occurrence(occurrence_of[match[0]], confirmed=match[1])
            if current.photo_hash != latest.photo_hash:
                changed[latest] = current
    return list(changed.items())


def _find_edited_whole_photos(
    edits: HandEdits, occurrences: Iterable[FaceOccurrence]
) -> list[tuple[JournalFace, JournalFace]]:
    """People on whole photos keep their id when the photo is edited."""
    whole = {id: face for id, face in edits.drawn.items() if face.box == WHOLE_PHOTO}
    places: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in occurrences if whole else ():
        if occurrence.face_id in whole:
            places[occurrence.face_id].append(occurrence)
    return [
        (whole[id], JournalFace.from_occurrence(found[0], confirmed=True))
        for id, found in places.items()
        if all(occurrence.photo_hash != whole[id].photo_hash for occurrence in found)
    ]


def _compose(path: str) -> str:
    """Return a path in one Unicode form: macOS writes accents as characters of their own, other systems do not."""
    return unicodedata.normalize("NFC", path)


def _best_overlap(face: JournalFace, candidates: Iterable[FaceOccurrence], at_least: float) -> FaceOccurrence | None:
    box = face.box
    # A box around the whole photo is one of a face in close-up, or stands for a person without a face to be seen.
    if box == WHOLE_PHOTO:
        at_least = SAME_BOX_OVERLAP
    candidates = [
        other for other in candidates if not other.is_whole_photo and is_same_frame(other.frame_time, face.frame_time)
    ]
    best = max(candidates, key=lambda occurrence: intersection_over_union(occurrence.box, box), default=None)
    return best if best and intersection_over_union(best.box, box) >= at_least else None
