"""What the journal says of the faces that are in the library now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faceclust.people.events import Event, JournalFace, effective
from faceclust.people.face_finder import FaceFinder, found_before
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
    it comes back; `away` are these names.
    """

    said: dict[str, Said]
    waiting: int = 0
    rejected: dict[str, FaceSet] = field(default_factory=dict)
    together: tuple[FaceSet, ...] = ()
    apart: tuple[tuple[FaceSet, FaceSet], ...] = ()
    away: FaceSet = field(default=frozenset(), compare=False)

    @property
    def known(self) -> bool:
        """Whether anything was said of a face here."""
        return bool(self.said or self.rejected or self.together or self.apart)


def resolve(events: Iterable[Event], places: Sequence[FacePlace]) -> Resolved:
    """Replay the events still standing over the faces of the library, the later word counting.

    A name and a rejection of it take each other back, and so do a merge and a split of the
    same faces; names and rejections go before merges. Names that differ in case alone are one
    person, spelt as they were last given.
    Where a face is found again but not surely (see `FaceFinder`), it counts as not confirmed.
    A pure function of its arguments.
    """
    standing = effective(events)
    finder = FaceFinder(places, found_before(standing))
    forgotten = {face.face_id for event in standing if event.kind == "forget" for face in event.faces}
    replay = Replay()
    for event in standing:
        here, rest = _here(event.faces, finder, forgotten), _here(event.rest, finder, forgotten)
        replay.take(event, here, rest)
        if event.kind in ("name", "confirm") and event.name is not None:
            away = (face.face_id for face in event.faces if finder.find(face) is None)
            replay.missing |= dict.fromkeys(away, person_key(event.name))
    return replay.outcome()


def _here(faces: Iterable[JournalFace], finder: FaceFinder, forgotten: set[str]) -> dict[str, bool]:
    """Face id → confirmed, for those of the faces that are here. What resembles a forgotten face is
    somebody else."""
    located = ((face, finder.find(face)) for face in faces if face.face_id not in forgotten)
    return {found[0]: face.confirmed and found[1] for face, found in located if found}


class Replay:
    """The state that events lead to, one after the other."""

    def __init__(self) -> None:
        self.said: dict[str, Said] = {}  # by person key until the end
        self.rejected: dict[str, set[str]] = {}
        self.together: list[set[str]] = []
        self.apart: list[tuple[set[str], set[str]]] = []
        self.spelling: dict[str, str] = {}
        self.missing: dict[str, str] = {}  # face → person key
        self.forgotten: set[str] = set()

    def take(self, event: Event, here: dict[str, bool], rest: dict[str, bool]) -> None:
        if event.kind in ("name", "confirm") and event.name is not None:
            self._name(event.name, here, spelt=event.kind == "name")
            self._reject(person_key(event.name), rest)
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
            self.forgotten.update(face.face_id for face in event.faces)

    def _name(self, name: str, here: dict[str, bool], *, spelt: bool) -> None:
        key = person_key(name)
        if spelt or key not in self.spelling:
            self.spelling[key] = name
        for face, confirmed in here.items():
            self.said[face] = Said(key, confirmed)
            self.rejected.get(face, set()).discard(key)
        linked = self._linked({face for face, confirmed in here.items() if confirmed})
        if self._names_of(linked) - {key}:  # the links said otherwise
            self._unlink(set(here), whole=True)
        self._unlink({face for face in linked if key in self.rejected.get(face, ())})

    def _reject(self, key: str, here: Iterable[str]) -> None:
        for face in here:
            self.rejected.setdefault(face, set()).add(key)
            if face in self.said and self.said[face].name == key:
                del self.said[face]
        if key in self._names_of(self._linked(set(here))):
            self._unlink(set(here))

    def _linked(self, faces: set[str]) -> set[str]:
        """The faces, and all that merges have made one person with them."""
        found, size = set(faces), -1
        while self.together and size < len(found):
            size = len(found)
            found.update(*(group for group in self.together if not group.isdisjoint(found)))
        return found

    def _names_of(self, faces: Iterable[str]) -> set[str]:
        """The names that any of the faces are confirmed to have."""
        words = (self.said[face] for face in faces if face in self.said)
        return {word.name for word in words if word.confirmed and word.name is not None}

    def _unlink(self, faces: set[str], *, whole: bool = False) -> None:
        """Take faces out of the merges, or (`whole`) take back the merges they are in."""
        for group in self.together:
            group -= group if whole and not group.isdisjoint(faces) else faces

    def _rename(self, name: str, to: str) -> None:
        old, new = person_key(name), person_key(to)
        self.spelling[new] = to
        self.missing |= {face: new for face, key in self.missing.items() if key == old}
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
        linked = self._linked(faces)
        names = self._names_of(linked)
        if len(names) > 1:
            faces.clear()  # names go before links, and so do rejections
        self._unlink({face for face in linked if not names.isdisjoint(self.rejected.get(face, ()))})

    def _split(self, leaving: set[str], staying: set[str]) -> None:
        if not self._linked(leaving).isdisjoint(staying):
            self._unlink(leaving)
        self.apart.append((leaving, staying))

    def outcome(self) -> Resolved:
        def spelt(key: str) -> str:
            return self.spelling.get(key, key)

        together = [faces - self.forgotten for faces in self.together]
        apart = [(a - self.forgotten, b - self.forgotten) for a, b in self.apart]
        return Resolved(
            {
                face: Said(None if word.name is None else spelt(word.name), word.confirmed)
                for face, word in self.said.items()
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
