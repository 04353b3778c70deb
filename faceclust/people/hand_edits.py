"""The faces that the user drew, moved and removed, as the events in effect leave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from faceclust.people.events import Event, JournalFace

#: The kinds of events that change which faces there are.
_HAND_EDIT_KINDS = frozenset({"add", "move", "remove"})


def _follow(face: str, moved_to: Mapping[str, JournalFace]) -> str:
    # This ends: a face that is drawn, or moved back, was moved no longer.
    while face in moved_to:
        face = moved_to[face].face_id
    return face


@dataclass(frozen=True)
class HandEdits:
    """What the user changed about the faces themselves; each mapping is by face id.

    `drawn`: the boxes drawn by hand that count. `removed`: the faces that are nobody's. `replaced`: the
    faces whose box was moved, and `moved_to` where to. `never_detected`: faces that come from a box that
    was drawn, and not from one that a detector found.
    """

    drawn: Mapping[str, JournalFace] = field(default_factory=dict)
    removed: Mapping[str, JournalFace] = field(default_factory=dict)
    replaced: Mapping[str, JournalFace] = field(default_factory=dict)
    moved_to: Mapping[str, JournalFace] = field(default_factory=dict)
    never_detected: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.drawn or self.removed or self.replaced)

    def last_box_of(self, face: str) -> str:
        """Return the id of the last box that a face was moved to, or its own."""
        return _follow(face, self.moved_to)


def replay_hand_edits(events: Iterable[Event]) -> HandEdits:
    """Replay "add", "move" and "remove" events. `events` are those in effect, see `effective_events`.

    Of two answers about one face the later one counts: a face that is drawn where another was removed
    is there again. An answer about a box that was moved since is about the box it was moved to. A face
    that became another one when its photo was edited is kept with it.
    """
    events = list(events)
    if not any(event.kind in _HAND_EDIT_KINDS for event in events):
        return HandEdits()
    replay = _HandEditReplay()
    for event in events:
        replay.apply(event)
    for face in (face for event in events if event.kind == "forget" for face in event.faces):
        replay.drop(face.face_id)
    return HandEdits(replay.drawn, replay.removed, replay.replaced, replay.moved_to, frozenset(replay.never_detected))


class _HandEditReplay:
    """The state after a sequence of events. The fields are those of `HandEdits`."""

    def __init__(self) -> None:
        self.drawn: dict[str, JournalFace] = {}
        self.removed: dict[str, JournalFace] = {}
        self.replaced: dict[str, JournalFace] = {}
        self.moved_to: dict[str, JournalFace] = {}
        self.never_detected: set[str] = set()
        self._before_edit: dict[str, str] = {}  # drawn face → the one it was before its photo was edited

    def apply(self, event: Event) -> None:
        """Apply an event. Events of other kinds change nothing."""
        match event.kind:
            case "add":
                for face in event.faces:
                    self._draw(face)
                    self.never_detected.add(face.face_id)
            case "move":
                for new, old in zip(event.faces, event.rest, strict=True):
                    self._move(new, old)
            case "remove":
                for face in event.faces:
                    current = self._current(face.face_id)
                    self.removed[current] = self.drawn.get(current, face)
                    self.drop(current)
            case "found":
                for new, old in zip(event.faces, event.rest, strict=True):
                    self._follow_edit(new, old)

    def _draw(self, face: JournalFace) -> None:
        self.removed.pop(face.face_id, None)
        self.replaced.pop(face.face_id, None)
        self.moved_to.pop(face.face_id, None)
        self.drawn[face.face_id] = face

    def _move(self, new: JournalFace, old: JournalFace) -> None:
        current = self._current(old.face_id)
        if current == new.face_id:
            return
        replaced = self.drawn.get(current, old)
        self.drop(current)
        self._draw(new)
        self.replaced[current], self.moved_to[current] = replaced, new
        if current in self.never_detected:
            self.never_detected.add(new.face_id)

    def _follow_edit(self, new: JournalFace, old: JournalFace) -> None:
        if old.face_id in self.removed:
            self.removed[new.face_id] = new
        elif old.face_id in self.drawn:
            if new.face_id not in self.drawn:
                self._before_edit[new.face_id] = old.face_id
            self.drawn[new.face_id] = new
        if old.face_id in self.never_detected:
            self.never_detected.add(new.face_id)

    def _current(self, face: str) -> str:
        """The face that this one was moved to, or itself."""
        return _follow(face, self.moved_to)

    def drop(self, face: str | None) -> None:
        """Let a drawn face count no longer, nor what it was before an edit of its photo."""
        while face is not None:
            self.drawn.pop(face, None)
            face = self._before_edit.pop(face, None)
