"""Names that somebody else has suggested: answers in the journal whose source is that person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faceclust.people.events import Event, effective_events, suggester_of
from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers


@dataclass(frozen=True)
class Suggestions:
    """Who suggested what is in effect.

    `names`: face id → the key of the suggested name and who suggested it. `rejections`: face id and the key of a
    name → who suggested that the face is not this person.
    """

    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    rejections: dict[tuple[str, str], str] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take one more answer into account: one of the user replaces a suggestion."""
        suggester, key = suggester_of(event), person_key(event.name) if event.name else ""
        if event.kind in ("rename", "merge") and event.to is not None:
            self._rename(key, person_key(event.to))
        elif event.kind in ("name", "confirm", "ignore"):
            for face in event.faces:
                self.names.pop(face.face_id, None)
                if suggester is not None:
                    self.names[face.face_id] = key, suggester
                self.rejections.pop((face.face_id, key), None)
        for face in event.faces if event.kind == "reject" else event.rest if event.name else ():
            self.rejections.pop((face.face_id, key), None)
            if suggester is not None:
                self.rejections[face.face_id, key] = suggester

    def _rename(self, old: str, new: str) -> None:
        for face, (key, suggester) in list(self.names.items()):
            if key == old:
                self.names[face] = new, suggester
        for (face, key), suggester in list(self.rejections.items()):
            if key == old:
                del self.rejections[face, old]
                self.rejections.setdefault((face, new), suggester)


def collect_suggestions(events: Iterable[Event]) -> Suggestions:
    """Return the suggestions in a journal that no later answer replaced."""
    events, suggestions = list(events), Suggestions()
    if any(suggester_of(event) is not None for event in events):  # few journals have any
        for event in effective_events(events):
            suggestions.apply(event)
    return suggestions


class SuggestionReplay:
    """Collects the suggestions of a journal; later events are added to those replayed before."""

    def __init__(self) -> None:
        self._applied: list[Event] = []
        self._suggestions = Suggestions()

    def suggestions(self, events: Sequence[Event]) -> Suggestions:
        """Return the result of `collect_suggestions`; the next call may change it."""
        effective = effective_events(events)
        count = len(self._applied)
        if effective[:count] != self._applied:  # an answer was undone, or a journal merged
            count, self._suggestions = 0, Suggestions()
        for event in effective[count:]:
            self._suggestions.apply(event)
        self._applied = effective
        return self._suggestions


def find_unconfirmed(suggestions: Suggestions, answers: ReplayedAnswers) -> dict[str, str]:
    """Map each face whose suggested name is not confirmed yet to who suggested it."""
    found = {}
    for face, (key, suggester) in suggestions.names.items():
        label = answers.labels.get(face)
        if label is not None and not label.confirmed and label.name is not None and person_key(label.name) == key:
            found[face] = suggester
    return found
