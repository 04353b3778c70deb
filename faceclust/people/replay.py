"""What the journal says of the faces that are in the library now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.face_finder import FaceFinder, recorded_successors
from faceclust.people.names import person_key
from faceclust.types import FaceOccurrence

FaceSet = frozenset[str]


@dataclass(frozen=True)
class Label:
    """What the user said of one face: it is the person `name`, or (None) nobody to be named.
    `confirmed`: the user saw this very face, or pointed at it, when saying so."""

    name: str | None
    confirmed: bool


@dataclass(frozen=True)
class ReplayedAnswers:
    """What was said, by face id, for faces of the library.

    `rejected`: the names a face was said not to be. `together`: faces said to be one person,
    whoever that is. `apart`: none of the first faces is the person that the second ones are.
    `waiting` counts named faces whose photo is not there now: they have their names again when
    it comes back; `away` are these names.
    """

    labels: dict[str, Label]
    missing_count: int = 0
    rejected: dict[str, FaceSet] = field(default_factory=dict)
    merges: tuple[FaceSet, ...] = ()
    splits: tuple[tuple[FaceSet, FaceSet], ...] = ()
    missing_names: FaceSet = field(default=frozenset(), compare=False)

    @property
    def has_answers(self) -> bool:
        """Whether anything was said of a face here."""
        return bool(self.labels or self.rejected or self.merges or self.splits)


def replay_events(events: Iterable[Event], places: Sequence[FaceOccurrence]) -> ReplayedAnswers:
    """Replay the events still standing over the faces of the library, the later word counting.

    A name and a rejection of it take each other back, and so do a merge and a split of the
    same faces; names and rejections go before merges. Names that differ in case alone are one
    person, spelt as they were last given.
    Where a face is found again but not surely (see `FaceFinder`), it counts as not confirmed.
    A pure function of its arguments.
    """
    standing = effective_events(events)
    finder = FaceFinder(places, recorded_successors(standing))
    forgotten = {face.face_id for event in standing if event.kind == "forget" for face in event.faces}
    replay = Replay()
    for event in standing:
        here, rest = _locate_faces(event.faces, finder, forgotten), _locate_faces(event.rest, finder, forgotten)
        replay.apply(event, here, rest)
        if event.kind in ("name", "confirm") and event.name is not None:
            away = (face.face_id for face in event.faces if finder.find(face) is None)
            replay.missing |= dict.fromkeys(away, person_key(event.name))
    return replay.result()


def _locate_faces(faces: Iterable[JournalFace], finder: FaceFinder, forgotten: set[str]) -> dict[str, bool]:
    """Face id → confirmed, for those of the faces that are here. What resembles a forgotten face is
    somebody else."""
    located = ((face, finder.find(face)) for face in faces if face.face_id not in forgotten)
    return {found[0]: face.confirmed and found[1] for face, found in located if found}


class Replay:
    """The state that events lead to, one after the other."""

    def __init__(self) -> None:
        self.labels: dict[str, Label] = {}  # by person key until the end
        self.rejected: dict[str, set[str]] = {}
        self.merges: list[set[str]] = []
        self.splits: list[tuple[set[str], set[str]]] = []
        self.spelling: dict[str, str] = {}
        self.missing: dict[str, str] = {}  # face → person key
        self.forgotten: set[str] = set()

    def apply(self, event: Event, faces: dict[str, bool], rest: dict[str, bool]) -> None:
        if event.kind in ("name", "confirm") and event.name is not None:
            self._name(event.name, faces, spelt=event.kind == "name")
            self._reject(person_key(event.name), rest)
        elif event.kind == "reject" and event.name is not None:
            self.spelling.setdefault(person_key(event.name), event.name)
            self._reject(person_key(event.name), faces)
        elif event.kind in ("rename", "merge") and event.name is not None and event.to is not None:
            self._rename(event.name, event.to)
        elif event.kind == "merge":
            self._merge(set(faces))
        elif event.kind == "split":
            self._split(set(faces), set(rest))
        elif event.kind == "ignore":
            self.labels |= {face: Label(None, seen) for face, seen in faces.items()}
        elif event.kind == "unignore":
            for face in faces:
                if face in self.labels and self.labels[face].name is None:
                    del self.labels[face]
        elif event.kind == "forget":
            self.forgotten.update(face.face_id for face in event.faces)

    def _name(self, name: str, here: dict[str, bool], *, spelt: bool) -> None:
        key = person_key(name)
        if spelt or key not in self.spelling:
            self.spelling[key] = name
        for face, confirmed in here.items():
            self.labels[face] = Label(key, confirmed)
            self.rejected.get(face, set()).discard(key)
        linked = self._linked_faces({face for face, confirmed in here.items() if confirmed})
        if self._names_of(linked) - {key}:  # the links said otherwise
            self._unlink(set(here), whole=True)
        self._unlink({face for face in linked if key in self.rejected.get(face, ())})

    def _reject(self, key: str, here: Iterable[str]) -> None:
        for face in here:
            self.rejected.setdefault(face, set()).add(key)
            if face in self.labels and self.labels[face].name == key:
                del self.labels[face]
        if key in self._names_of(self._linked_faces(set(here))):
            self._unlink(set(here))

    def _linked_faces(self, faces: set[str]) -> set[str]:
        """The faces, and all that merges have made one person with them."""
        found, size = set(faces), -1
        while self.merges and size < len(found):
            size = len(found)
            found.update(*(group for group in self.merges if not group.isdisjoint(found)))
        return found

    def _names_of(self, faces: Iterable[str]) -> set[str]:
        """The names that any of the faces are confirmed to have."""
        words = (self.labels[face] for face in faces if face in self.labels)
        return {word.name for word in words if word.confirmed and word.name is not None}

    def _unlink(self, faces: set[str], *, whole: bool = False) -> None:
        """Take faces out of the merges, or (`whole`) take back the merges they are in."""
        for group in self.merges:
            group -= group if whole and not group.isdisjoint(faces) else faces

    def _rename(self, name: str, to: str) -> None:
        old, new = person_key(name), person_key(to)
        self.spelling[new] = to
        self.missing |= {face: new for face, key in self.missing.items() if key == old}
        for face, word in self.labels.items():
            if word.name == old:
                self.labels[face] = Label(new, word.confirmed)
                self.rejected.get(face, set()).discard(new)
        for face, names in self.rejected.items():
            if old in names:
                names.discard(old)
                if face not in self.labels or self.labels[face].name != new:
                    names.add(new)

    def _merge(self, faces: set[str]) -> None:
        for leaving, staying in self.splits:
            if leaving & faces and staying & faces:
                leaving -= faces
        self.merges.append(faces)
        linked = self._linked_faces(faces)
        names = self._names_of(linked)
        if len(names) > 1:
            faces.clear()  # names go before links, and so do rejections
        self._unlink({face for face in linked if not names.isdisjoint(self.rejected.get(face, ()))})

    def _split(self, leaving: set[str], staying: set[str]) -> None:
        if not self._linked_faces(leaving).isdisjoint(staying):
            self._unlink(leaving)
        self.splits.append((leaving, staying))

    def result(self) -> ReplayedAnswers:
        def spelt(key: str) -> str:
            return self.spelling.get(key, key)

        together = [faces - self.forgotten for faces in self.merges]
        apart = [(a - self.forgotten, b - self.forgotten) for a, b in self.splits]
        return ReplayedAnswers(
            {
                face: Label(None if word.name is None else spelt(word.name), word.confirmed)
                for face, word in self.labels.items()
                if face not in self.forgotten
            },
            len(self.missing.keys() - self.forgotten),
            {
                face: frozenset(map(spelt, names))
                for face, names in self.rejected.items()
                if names and face not in self.forgotten
            },
            tuple(frozenset(faces) for faces in together if len(faces) > 1),
            tuple((frozenset(a - b), frozenset(b)) for a, b in apart if a - b and b),
            frozenset(spelt(key) for face, key in self.missing.items() if face not in self.forgotten),
        )
