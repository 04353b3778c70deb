"""Find the stored faces that do not count, because of what the user drew, moved or removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy

from faceclust.people.events import Event, JournalFace
from faceclust.people.face_finder import FaceFinder, found_again
from faceclust.people.hand_edits import HandEdits
from faceclust.types import SAME_FACE_OVERLAP, FaceOccurrence, intersection_over_union

#: Id of a hidden face → id of the drawn face that stands for it, None without one.
HiddenFaces = Mapping[str, str | None]
#: Edits of a photo, the last ones, after which a face on it is looked for.
_MAX_EDITS = 100


class HandEditLocator:
    """Finds what the user drew, moved and removed among all stored faces of a library."""

    def __init__(self, occurrences: Iterable[FaceOccurrence]) -> None:
        detected, by_hand = list[FaceOccurrence](), list[FaceOccurrence]()
        for occurrence in occurrences:
            (by_hand if occurrence.by_hand else detected).append(occurrence)
        self._by_hand = {occurrence.face_id: occurrence for occurrence in by_hand}
        self._detected = {occurrence.face_id: occurrence for occurrence in detected}
        self._detected_finder, self._drawn_finder = FaceFinder(detected), FaceFinder(by_hand)

    def with_drawn(self, occurrences: Sequence[FaceOccurrence]) -> HandEditLocator:
        """Return a locator that has these drawn faces as well."""
        changed = copy(self)
        changed._by_hand = self._by_hand | {occurrence.face_id: occurrence for occurrence in occurrences}
        changed._drawn_finder = FaceFinder([*self._drawn_finder.occurrences, *occurrences])
        return changed

    def find_hidden(self, edits: HandEdits, events: Iterable[Event]) -> HiddenFaces:
        """Return the faces that do not count. `events` are those in effect.

        These are boxes drawn by hand that no event in effect mentions; detected faces that were removed,
        or whose box was moved, also as another detector draws them; and detected faces that a box drawn
        by hand covers.
        """
        hidden: dict[str, str | None] = dict.fromkeys(self._by_hand)
        if not edits:
            return hidden
        became = found_again(events)
        # A box that was drawn exactly around a detected face, or moved back there, is that of the detected face.
        located = {
            id: found
            for id, face in edits.drawn.items()
            if (found := id if id in self._detected else self._locate(self._drawn_finder, face, became))
        }
        shown = {*located.values(), *edits.drawn}
        for drawn in located.values():
            hidden |= dict.fromkeys(self._covered_faces(self._detected.get(drawn) or self._by_hand[drawn]), drawn)
        for id, face in (*edits.removed.items(), *edits.replaced.items()):
            last = edits.last_box_of(id)
            if last not in located and last not in edits.removed:
                shown.add(id)  # until a scan has brought back the box that it was moved to
            elif id in self._by_hand or id in self._detected:
                hidden[id] = located.get(last)
            elif id not in edits.never_detected and (found := self._locate(self._detected_finder, face, became)):
                hidden[found] = located.get(last)
        return {id: instead for id, instead in hidden.items() if id not in shown}

    def _covered_faces(self, drawn: FaceOccurrence) -> Iterator[str]:
        if not drawn.is_whole_photo:
            for other in self._detected_finder.faces_on_photo(drawn.photo_hash):
                if intersection_over_union(other.box, drawn.box) >= SAME_FACE_OVERLAP:
                    yield other.face_id

    @staticmethod
    def _locate(finder: FaceFinder, face: JournalFace, became: Mapping[str, JournalFace]) -> str | None:
        """The current id of a face or of what it became, if it is found with certainty."""
        steps, ids = [face], {face.face_id}
        while (step := became.get(steps[-1].face_id)) and step.face_id not in ids:
            ids.add(step.face_id)
            steps.append(step)
        # Later ones first, and only so many of a hostile journal, which all may be looked for.
        matches = filter(None, map(finder.find, reversed(steps[-_MAX_EDITS:])))
        return next((id for id, is_certain in matches if is_certain), None)
