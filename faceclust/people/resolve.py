"""What the journal says of the faces that are in the library now."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faceclust.people.journal import Event, JournalFace, effective
from faceclust.types import FacePlace

#: Boxes that overlap this much (IoU) on the same photo are the same face.
SAME_FACE_OVERLAP = 0.4


#: Zero-width characters that Persian, Indic and emoji names are spelt with.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Said:
    """What the user said of one face: it is the person `name`, or (None) nobody to be named.
    `confirmed`: the user saw this very face, or pointed at it, when saying so."""

    name: str | None
    confirmed: bool


@dataclass(frozen=True)
class Resolved:
    """`said` by face id, for faces of the library; `rejected` likewise: the names a face was said
    not to be. `waiting` counts named faces whose photo is not there now: they have their names
    again when it comes back."""

    said: dict[str, Said]
    waiting: int
    rejected: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything was said of a face here."""
        return bool(self.said or self.rejected)


def person_key(name: str) -> str:
    """Names with the same key are the same person: case, spacing and Unicode form aside."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def clean_name(name: str) -> str:
    """A name as it is kept: no control characters, single spaces; "" where nothing is left."""
    printable = "".join(c if c.isprintable() or c in _JOINERS else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(printable.split())


def resolve(events: Iterable[Event], places: Sequence[FacePlace]) -> Resolved:
    """Replay the events still standing over the faces of the library; the later word counts,
    also for how a name is spelt, and a name and a rejection of it take each other back.

    A face is found by its id; else on the photo with the same content, where the boxes
    overlap; else, on an edited photo, by path, box and date: then it is no longer confirmed,
    for another photo may have taken the path. A pure function of its arguments.
    """
    present = {place.face_id for place in places}
    standing = effective(events)
    missing = {face.face_id for event in standing for face in event.faces} - present
    finder = _Finder(places) if missing else None
    said: dict[str, Said] = {}
    rejected: dict[str, frozenset[str]] = {}
    named = [event.name for event in standing if event.kind == "name" and event.name is not None]
    spelling = {person_key(name): name for name in named}
    unfound: set[str] = set()
    for event in standing:
        name = None if event.name is None else spelling.get(person_key(event.name), event.name)
        for face in event.faces:
            if face.face_id in present:
                here, sure = face.face_id, True
            elif finder and (found := finder.by_content(face)):
                here, sure = found, True
            elif finder and (found := finder.by_path(face)):
                here, sure = found, False
            else:
                if event.kind == "name":
                    unfound.add(face.face_id)
                continue
            not_names = rejected.get(here, frozenset())
            if event.kind != "reject":
                said[here] = Said(name, face.confirmed and sure)
                rejected[here] = not_names - {name}
            elif name is not None:
                rejected[here] = not_names | {name}
                if here in said and said[here].name == name:
                    del said[here]
    return Resolved(said, len(unfound), {face: names for face, names in rejected.items() if names})


class _Finder:
    def __init__(self, places: Sequence[FacePlace]) -> None:
        self._by_hash: dict[str, list[FacePlace]] = defaultdict(list)
        self._by_path: dict[str, list[FacePlace]] = defaultdict(list)
        for place in places:
            self._by_hash[place.photo_hash].append(place)
            self._by_path[place.photo].append(place)

    def by_content(self, face: JournalFace) -> str | None:
        return _same_place(face, self._by_hash.get(face.photo_hash, ()))

    def by_path(self, face: JournalFace) -> str | None:
        if face.photo_hash in self._by_hash:
            return None  # the photo is here, under another name
        candidates = [
            place
            for place in self._by_path.get(face.photo, ())
            if not (face.taken_at and place.taken_at and face.taken_at != place.taken_at.isoformat())
        ]
        return _same_place(face, candidates)


def _same_place(face: JournalFace, candidates: Iterable[FacePlace]) -> str | None:
    best = max(candidates, key=lambda place: _overlap(place.box, face.box), default=None)
    return best.face_id if best and _overlap(best.box, face.box) >= SAME_FACE_OVERLAP else None


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0
