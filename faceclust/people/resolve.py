"""What the journal says of the faces that are in the library now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faceclust.people.events import Event, JournalFace, effective
from faceclust.people.locate import FaceFinder
from faceclust.people.names import person_key
from faceclust.types import FacePlace

FaceSet = frozenset[str]


@dataclass(frozen=True)
class Said:
    """What the user said of one face: it is the person `name`, or (None) nobody to be named.
    `confirmed`: the user saw this very face, or pointed at it, when saying so."""

    name: str | None
    confirmed: bool


@dataclass(frozen=True)
class Resolved:
    """What was said, by face id, for faces of the library.

    `rejected`: the names a face was said not to be. `together`: faces said to be one person,
    whoever that is. `apart`: none of the first faces is the person that the second ones are.
    `waiting` counts named faces whose photo is not there now: they have their names again when
    it comes back.
    """

    said: dict[str, Said]
    waiting: int = 0
    rejected: dict[str, FaceSet] = field(default_factory=dict)
    together: tuple[FaceSet, ...] = ()
    apart: tuple[tuple[FaceSet, FaceSet], ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything was said of a face here."""
        return bool(self.said or self.rejected or self.together or self.apart)


def resolve(events: Iterable[Event], places: Sequence[FacePlace]) -> Resolved:
    """Replay the events still standing over the faces of the library, the later word counting.

    A name and a rejection of it take each other back, and so do a merge and a split of the
    same faces. Names that differ in case alone are one person, spelt as they were last given.
    Where a face is found again but not surely (see `FaceFinder`), it counts as not confirmed.
    A pure function of its arguments.
    """
    finder = FaceFinder(places)
    replay = _Replay()
    for event in effective(events):
        replay.take(event, _here(event.faces, finder, replay, event), _here(event.rest, finder, replay, event))
    return replay.outcome()


def _here(faces: Iterable[JournalFace], finder: FaceFinder, replay: _Replay, event: Event) -> dict[str, bool]:
    """Face id → confirmed, for those of the faces that are here."""
    here = {}
    for face in faces:
        found = finder.find(face)
        if found is not None:
            here[found[0]] = face.confirmed and found[1]
        elif event.kind in ("name", "confirm"):
            replay.missing.add(face.face_id)
    return here


class _Replay:
    """The state that events lead to, one after the other."""

    def __init__(self) -> None:
        self.said: dict[str, Said] = {}  # by person key until the end
        self.rejected: dict[str, set[str]] = {}
        self.together: list[set[str]] = []
        self.apart: list[tuple[set[str], set[str]]] = []
        self.spelling: dict[str, str] = {}
        self.missing: set[str] = set()

    def take(self, event: Event, here: dict[str, bool], rest: dict[str, bool]) -> None:
        if event.kind in ("name", "confirm") and event.name is not None:
            self._name(event.name, here, spelt=event.kind == "name")
        elif event.kind == "reject" and event.name is not None:
            self.spelling.setdefault(person_key(event.name), event.name)
            self._reject(person_key(event.name), here)
        elif event.kind in ("rename", "merge") and event.name is not None and event.to is not None:
            self._rename(event.name, event.to)
        elif event.kind == "merge":
            self._merge(set(here))
        elif event.kind == "split":
            self._split(set(here), set(rest))
        elif event.kind == "ignore":
            self.said |= {face: Said(None, seen) for face, seen in here.items()}
        elif event.kind == "unignore":
            for face in here:
                if face in self.said and self.said[face].name is None:
                    del self.said[face]
        elif event.kind == "forget":
            self._forget(set(here))

    def _name(self, name: str, here: dict[str, bool], *, spelt: bool) -> None:
        key = person_key(name)
        if spelt or key not in self.spelling:
            self.spelling[key] = name
        for face, confirmed in here.items():
            self.said[face] = Said(key, confirmed)
            self.rejected.get(face, set()).discard(key)

    def _reject(self, key: str, here: Iterable[str]) -> None:
        for face in here:
            self.rejected.setdefault(face, set()).add(key)
            if face in self.said and self.said[face].name == key:
                del self.said[face]

    def _rename(self, name: str, to: str) -> None:
        old, new = person_key(name), person_key(to)
        self.spelling[new] = to
        for face, word in self.said.items():
            if word.name == old:
                self.said[face] = Said(new, word.confirmed)
                self.rejected.get(face, set()).discard(new)
        for face, names in self.rejected.items():
            if old in names:
                names.discard(old)
                if face not in self.said or self.said[face].name != new:
                    names.add(new)

    def _merge(self, faces: set[str]) -> None:
        for leaving, staying in self.apart:
            if leaving & faces and staying & faces:
                leaving -= faces
        self.together.append(faces)

    def _split(self, leaving: set[str], staying: set[str]) -> None:
        for faces in self.together:
            if faces & leaving and faces & staying:
                faces -= leaving
        self.apart.append((leaving, staying))

    def _forget(self, faces: set[str]) -> None:
        for face in faces:
            self.said.pop(face, None)
            self.rejected.pop(face, None)

    def outcome(self) -> Resolved:
        def spelt(key: str) -> str:
            return self.spelling.get(key, key)

        return Resolved(
            {
                face: Said(None if word.name is None else spelt(word.name), word.confirmed)
                for face, word in self.said.items()
            },
            len(self.missing),
            {face: frozenset(map(spelt, names)) for face, names in self.rejected.items() if names},
            tuple(frozenset(faces) for faces in self.together if len(faces) > 1),
            tuple((frozenset(a - b), frozenset(b)) for a, b in self.apart if a - b and b),
        )
