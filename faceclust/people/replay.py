"""Replay the journal over the faces in the library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from faceclust.people.events import Event, JournalFace, effective_events, suggester_of
from faceclust.people.face_finder import FaceFinder, recorded_successors
from faceclust.people.fact_changes import FactChanges, join_facts, without_alias
from faceclust.people.hand_edits import HandEdits, replay_hand_edits
from faceclust.people.names import person_key
from faceclust.types import NO_FACTS, FaceOccurrence, PersonFacts

FaceSet = frozenset[str]


@dataclass(frozen=True)
class Label:
    """The user's answer about one face: the person `name`, or ignored (None).

    It is `confirmed` if the user saw or selected this face when answering.
    """

    name: str | None
    confirmed: bool


@dataclass(frozen=True)
class ReplayedAnswers:
    """The user's answers by face id, for faces of the library.

    `rejected`: names that a face is not. `merges`: sets of faces of one person, named or not.
    `splits`: pairs of sets; no face of the first is the person of the second. `missing_count` is the
    number of named faces whose photo is missing, and `missing_names` are their names: they apply
    again when the photo comes back. `facts` are those about each person, by `person_key` of the name.
    """

    labels: dict[str, Label]
    missing_count: int = 0
    rejected: dict[str, FaceSet] = field(default_factory=dict)
    merges: tuple[FaceSet, ...] = ()
    splits: tuple[tuple[FaceSet, FaceSet], ...] = ()
    missing_names: FaceSet = field(default=frozenset(), compare=False)
    facts: dict[str, PersonFacts] = field(default_factory=dict)

    @property
    def has_answers(self) -> bool:
        """Whether there is an answer about any face of the library."""
        return bool(self.labels or self.rejected or self.merges or self.splits)


def replay_events(events: Iterable[Event], occurrences: Sequence[FaceOccurrence]) -> ReplayedAnswers:
    """Replay all events that were not undone over the faces of the library.

    `Replay` lists which answer takes precedence. Names that differ only in case are one person,
    spelt as last typed. A face that was found again without certainty (see `FaceFinder`) counts as
    not confirmed. This is a pure function of its arguments.
    """
    return JournalReplay(occurrences).answers(events)


class JournalReplay:
    """Replays a journal over the faces of the library, and goes on from there once it has more events."""

    def __init__(self, occurrences: Sequence[FaceOccurrence]) -> None:
        self._occurrences = occurrences
        self._applied: list[Event] = []
        self._locator: _FaceLocator | None = None
        self._replay = Replay()

    def answers(self, events: Iterable[Event]) -> ReplayedAnswers:
        """Return the result of `replay_events`."""
        effective = effective_events(events)
        count = len(self._applied)
        if self._locator is None or any(event.kind in _LOCATING_KINDS for event in effective[count:]):
            count, self._locator = 0, _FaceLocator(self._occurrences, effective)
        elif effective[:count] != self._applied:  # an answer was undone
            count = 0
            if any(event.kind in _LOCATING_KINDS for event in self._applied):
                self._locator = _FaceLocator(self._occurrences, effective)
        if not count:
            self._replay = Replay()
        for event in effective[count:]:
            found = self._locator.locate(event)
            self._replay.apply(event, found.faces, found.rest)
            if event.kind in ("name", "confirm", "add") and event.name is not None:
                self._replay.missing |= dict.fromkeys(found.missing, person_key(event.name))
        self._applied = effective
        return self._replay.result()


#: The events that decide which faces the others are about.
_LOCATING_KINDS = ("add", "move", "remove", "forget", "found")


@dataclass(frozen=True)
class _LocatedFaces:
    """The faces of an event that are in the library: current id → confirmed. `missing`: ids of those that are not."""

    event: Event
    faces: dict[str, bool]
    rest: dict[str, bool]
    missing: list[str]


class _FaceLocator:
    """Finds the faces of events, once for each event. `effective`: all events of the journal in effect."""

    def __init__(self, occurrences: Sequence[FaceOccurrence], effective: Sequence[Event]) -> None:
        self._edits = replay_hand_edits(effective)
        self._finder = FaceFinder(occurrences, recorded_successors(effective, self._edits))
        self._forgotten = {face.face_id for event in effective if event.kind == "forget" for face in event.faces}
        self._located: dict[str, _LocatedFaces] = {}

    def locate(self, event: Event) -> _LocatedFaces:
        """Find the faces of an event that are neither forgotten nor removed.

        Such faces are not to be found: a face that resembles them is another one.
        """
        known = self._located.get(event.id)
        if known is None or known.event is not event:
            faces, missing = self._find(event.faces)
            rest, _ = self._find(event.rest if event.kind != "move" else ())
            known = self._located[event.id] = _LocatedFaces(event, faces, rest, missing)
        return known

    def _find(self, faces: Iterable[JournalFace]) -> tuple[dict[str, bool], list[str]]:
        here, missing = dict[str, bool](), list[str]()
        for face in faces:
            if face.face_id in self._forgotten or is_removed(face, self._finder, self._edits):
                continue
            found = self._finder.find(face)
            if found is None:
                missing.append(face.face_id)
            else:
                here[found[0]] = face.confirmed and found[1]
        return here, missing


def is_removed(face: JournalFace, finder: FaceFinder, edits: HandEdits) -> bool:
    """Return whether the user declared that this face, or what became of it, is nobody's."""
    return bool(edits.removed) and finder.latest(face).face_id in edits.removed


class Replay:
    """The state after a sequence of events. Which of two contradicting answers counts:

    ==================  =======================  ====================================================
    answer              contradicts              result
    ==================  =======================  ====================================================
    name, confirm       name, confirm, ignore    the later one counts
    ignore              name, confirm            the later one counts
    unignore            ignore                   the later one counts; a name stays
    reject N            name N, confirm N        the later one counts
    merge               split of the same faces  the later one counts
    merge               two confirmed names      the names count, whichever came first
    merge               name N and reject N      the name and the rejection count, whichever came first
    rename, merge of    reject                   a face named with the old name is no longer rejected;
    names                                        other rejections follow the name
    remove              any but a later add      remove counts; the other answer counts again once it is undone
    person              person                   the later one counts, fact by fact
    forget              any                      forget counts, whenever it came
    suggested name N    confirmed name, ignore,  the user's answer counts, whichever came first; a suggestion
                        reject N                 that is later has no effect on that face
    suggested reject N  name N of the face, or   the name counts, whichever came first
                        confirmed of linked ones
    ==================  =======================  ====================================================

    A face that is drawn with a name has that name, as if it were named. An answer about a box that was moved
    is one about the new box. An answer of somebody else (see `suggester_of`) is a suggestion.

    Faces that share a merge, directly or by way of other merges, are linked. A name that contradicts
    the names of linked faces dissolves the merges of its own faces. A face leaves its merges if its
    rejected names include the name of the faces linked to it, or if a split separates it from one.
    """

    def __init__(self) -> None:
        self.labels: dict[str, Label] = {}  # with person keys as names, until `result`
        self.rejected: dict[str, set[str]] = {}
        self.merges: list[set[str]] = []
        self.splits: list[tuple[set[str], set[str]]] = []
        # The merges that a face was put into, and the splits that it left: it may not be in them any more.
        self._merges_of: dict[str, list[set[str]]] = defaultdict(list)
        self._splits_of: dict[str, list[tuple[set[str], set[str]]]] = defaultdict(list)
        self.spelling: dict[str, str] = {}
        self.missing: dict[str, str] = {}  # face → person key
        self.forgotten: set[str] = set()
        self._suggested_rejections: set[tuple[str, str]] = set()  # face and person key, if the user did not reject it
        self.facts: dict[str, PersonFacts] = {}  # by person key

    def apply(self, event: Event, faces: dict[str, bool], rest: dict[str, bool]) -> None:
        """Apply an event to its `faces` (id → confirmed) and its `rest`, as far as they are in the library."""
        is_suggested = suggester_of(event) is not None
        if is_suggested:
            faces, rest = self._open_to_suggestion(event, faces, rest)
        match event:
            case Event(kind="name" | "confirm" | "add", name=str(name)):
                self._name(name, faces, updates_spelling=event.kind != "confirm")
                self._reject(name, rest, is_suggested=is_suggested)
            case Event(kind="reject", name=str(name)):
                self._reject(name, faces, is_suggested=is_suggested)
            case Event(kind="rename" | "merge", name=str(name), to=str(to)):
                self._rename(name, to)
            case Event(kind="merge"):
                self._merge(set(faces))
            case Event(kind="split"):
                self._split(set(faces), set(rest))
            case Event(kind="ignore"):
                ignored = {confirmed: Label(None, confirmed) for confirmed in (False, True)}
                self.labels |= {face: ignored[confirmed] for face, confirmed in faces.items()}
            case Event(kind="unignore"):
                self._unignore(faces)
            case Event(kind="person", name=str(name), facts=FactChanges() as changes):
                key = person_key(name)
                changed = changes.apply(self.facts.get(key, NO_FACTS), next(iter(faces), None))
                self.facts[key] = without_alias(changed, key)
            case Event(kind="forget"):
                self.forgotten.update(face.face_id for face in event.faces)

    def _open_to_suggestion(
        self, event: Event, faces: dict[str, bool], rest: dict[str, bool]
    ) -> tuple[dict[str, bool], dict[str, bool]]:
        """Return the `faces` and the `rest` of a suggestion without those that the user has answered about."""
        key = person_key(event.name or "")
        answered = {face for face in rest if self._has_name(face, key)}
        if event.kind == "reject":
            answered |= {face for face in faces if self._has_name(face, key)}
        elif event.kind in ("name", "confirm", "add", "ignore"):
            answered |= {face for face in faces if self._is_answered(face, key)}
        faces = {face: confirmed for face, confirmed in faces.items() if face not in answered}
        return faces, {face: confirmed for face, confirmed in rest.items() if face not in answered}

    def _has_name(self, face: str, key: str) -> bool:
        """Return whether a face has this name, confirmed or not, or a face linked to it has it confirmed."""
        is_named = face in self.labels and self.labels[face].name == key
        return is_named or key in self._confirmed_names(self._linked_faces({face}))

    def _is_answered(self, face: str, key: str) -> bool:
        """Return whether the user has confirmed a name of a face, ignored it, or rejected this name for it."""
        label = self.labels.get(face)
        if label is not None and (label.confirmed or label.name is None):
            return True
        return key in self.rejected.get(face, ()) and (face, key) not in self._suggested_rejections

    def _name(self, name: str, faces: dict[str, bool], *, updates_spelling: bool) -> None:
        key = person_key(name)
        if updates_spelling or key not in self.spelling:
            self.spelling[key] = name
        labels = {confirmed: Label(key, confirmed) for confirmed in (False, True)}
        self.labels |= {face: labels[confirmed] for face, confirmed in faces.items()}
        for face in faces.keys() & self.rejected.keys():
            self.rejected[face].discard(key)
            self._suggested_rejections.discard((face, key))
        linked = self._linked_faces({face for face, confirmed in faces.items() if confirmed})
        if self._confirmed_names(linked) - {key}:
            self._dissolve_merges(set(faces))
        self._unlink({face for face in linked & self.rejected.keys() if key in self.rejected[face]})

    def _reject(self, name: str, faces: Iterable[str], *, is_suggested: bool) -> None:
        key = person_key(name)
        self.spelling.setdefault(key, name)
        for face in faces:
            names = self.rejected.setdefault(face, set())
            if not is_suggested:
                self._suggested_rejections.discard((face, key))
            elif key not in names:
                self._suggested_rejections.add((face, key))
            names.add(key)
            if face in self.labels and self.labels[face].name == key:
                del self.labels[face]
        if key in self._confirmed_names(self._linked_faces(set(faces))):
            self._unlink(set(faces))

    def _unignore(self, faces: Iterable[str]) -> None:
        for face in faces:
            if face in self.labels and self.labels[face].name is None:
                del self.labels[face]

    def _linked_faces(self, faces: set[str]) -> set[str]:
        """Return the faces, and all that are linked to them by merges."""
        found, waiting, visited = set(faces), list(faces & self._merges_of.keys()), set[int]()
        while waiting:
            for group in self._merges_with(waiting.pop()):
                if id(group) not in visited:
                    visited.add(id(group))
                    waiting += group - found
                    found |= group
        return found

    def _merges_with(self, face: str) -> Iterator[set[str]]:
        return (group for group in self._merges_of.get(face, ()) if face in group)

    def _confirmed_names(self, faces: Iterable[str]) -> set[str]:
        """Return the keys of the names that are confirmed for any of the faces."""
        labels = (self.labels[face] for face in faces if face in self.labels)
        return {label.name for label in labels if label.confirmed and label.name is not None}

    def _unlink(self, faces: set[str]) -> None:
        """Take these faces out of all merges."""
        for face in faces:
            for group in self._merges_of.pop(face, ()):
                group.discard(face)

    def _dissolve_merges(self, faces: set[str]) -> None:
        """Take back all merges that contain one of these faces."""
        for face in faces:
            for group in self._merges_with(face):
                group.clear()

    def _rename(self, name: str, to: str) -> None:
        old, new = person_key(name), person_key(to)
        self.spelling[new] = to
        if old != new and old in self.facts:
            joined = join_facts(self.facts.get(new, NO_FACTS), self.facts.pop(old))
            self.facts[new] = without_alias(joined, new)
        self.missing |= {face: new for face, key in self.missing.items() if key == old}
        for face, label in self.labels.items():
            if label.name == old:
                self.labels[face] = Label(new, label.confirmed)
                self.rejected.get(face, set()).discard(new)
        for face, names in self.rejected.items():
            if old in names:
                self._rename_suggested_rejection(face, old, new)
                names.discard(old)
                if face not in self.labels or self.labels[face].name != new:
                    names.add(new)

    def _rename_suggested_rejection(self, face: str, old: str, new: str) -> None:
        suggested = self._suggested_rejections
        is_users = any(key in self.rejected[face] and (face, key) not in suggested for key in (old, new))
        suggested -= {(face, old), (face, new)}
        if not is_users:
            suggested.add((face, new))

    def _merge(self, faces: set[str]) -> None:
        for leaving, staying in [split for face in faces for split in self._splits_of.get(face, ())]:
            if leaving & faces and staying & faces:
                leaving -= faces
        self.merges.append(faces)
        for face in faces:
            self._merges_of[face].append(faces)
        linked = self._linked_faces(faces)
        names = self._confirmed_names(linked)
        if len(names) > 1:
            faces.clear()
        self._unlink({face for face in linked if not names.isdisjoint(self.rejected.get(face, ()))})

    def _split(self, leaving: set[str], staying: set[str]) -> None:
        if not self._linked_faces(leaving).isdisjoint(staying):
            self._unlink(leaving)
        self.splits.append((leaving, staying))
        for face in leaving:
            self._splits_of[face].append((leaving, staying))

    def result(self) -> ReplayedAnswers:
        """Return the answers about all faces that are not forgotten, with names as last spelt."""

        def spell(key: str) -> str:
            return self.spelling.get(key, key)

        shared = {id(label): label for label in self.labels.values()}  # computing hashes of labels takes long
        spelt = {
            number: Label(None if label.name is None else spell(label.name), label.confirmed)
            for number, label in shared.items()
        }
        merges = [faces - self.forgotten for faces in self.merges]
        splits = [(leaving - self.forgotten, staying - self.forgotten) for leaving, staying in self.splits]
        return ReplayedAnswers(
            labels={face: spelt[id(label)] for face, label in self.labels.items() if face not in self.forgotten},
            missing_count=len(self.missing.keys() - self.forgotten),
            rejected={
                face: frozenset(map(spell, names))
                for face, names in self.rejected.items()
                if names and face not in self.forgotten
            },
            merges=tuple(frozenset(faces) for faces in merges if len(faces) > 1),
            splits=tuple((frozenset(a - b), frozenset(b)) for a, b in splits if a - b and b),
            missing_names=frozenset(spell(key) for face, key in self.missing.items() if face not in self.forgotten),
            facts=dict(self.facts),
        )
