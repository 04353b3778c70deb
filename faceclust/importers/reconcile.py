"""Words of other programs set against the found faces and what the user said."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceclust.importers.coordinate_frame import Choice, Reading, choose, readings, usual_frames
from faceclust.importers.keywords import is_no_name
from faceclust.importers.plan import Conflict, ImportPlan, Naming, Unplaced
from faceclust.importers.values import Frame, Words
from faceclust.people.names import clean_name, person_key
from faceclust.people.replay import Resolved
from faceclust.types import FacePlace, PhotoFacts

if TYPE_CHECKING:
    from faceclust.importers.collect import Gathered

#: A box that fits a face this much as well as the box that was set on it speaks of the same face.
_AS_WELL = 0.6
_LONGEST_NAME = 200  # characters; what is longer is a text
NO_FACE = "no face was found there"


@dataclass(frozen=True)
class Known:
    """What is known of a library: its `photos`, the `faces` on each, what was `said` of them, the
    `spelling` of the names by their keys, what persons are called now who were renamed, by the
    key they had (`renamed`), and the faces that have a name, if only a suggested one (`named`)."""

    photos: Mapping[str, PhotoFacts]
    faces: Mapping[str, Sequence[FacePlace]]
    resolved: Resolved
    spelling: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Claim:
    """Somebody says that this face is this person."""

    face_id: str
    photo: str
    name: str
    fit: float
    source: str
    where: str
    sure: bool

    @property
    def key(self) -> str:
        return person_key(self.name)


def judge(gathered: Gathered, known: Known, *, keywords: bool = False) -> ImportPlan:
    """What is to be entered of what was gathered. What the user confirmed always stands; where words
    contradict each other, or what the user said, nothing is entered and the conflict is listed.
    `keywords`: a name without a place goes, as a suggestion, to the only face of its photo without a
    name, where it is the only name left."""
    return _Judgement(gathered, known).plan(keywords=keywords)


class _Judgement:
    def __init__(self, gathered: Gathered, known: Known) -> None:
        self._gathered, self._known = gathered, known
        self._conflicts: list[Conflict] = []
        self._unmatched: list[Unplaced] = []
        self._frames: dict[Frame, dict[str, None]] = {frame: {} for frame in Frame}
        self._passed_by = 0
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)

    def plan(self, *, keywords: bool) -> ImportPlan:
        claims = self._without_contradictions(self._claims())
        namings, already = self._against_the_user(claims)
        placeless, guesses = self._placeless(claims)
        gathered = self._gathered
        return ImportPlan(
            namings=tuple(sorted([*namings, *(guesses if keywords else ())], key=lambda n: (n.photo, n.face_id))),
            known=already,
            conflicts=tuple(
                sorted([*self._conflicts, *dict.fromkeys(gathered.unclear)], key=lambda c: (c.photo, c.faces, c.names))
            ),
            unmatched=tuple(sorted(self._unmatched, key=lambda u: (u.photo, u.name, u.where))),
            placeless=tuple(
                placeless if keywords else sorted([*placeless, *map(_as_placeless, guesses)], key=_by_photo)
            ),
            upright=tuple(sorted(self._frames[Frame.UPRIGHT])),
            turned=tuple(sorted(self._frames[Frame.TURNED])),
            passed_by=self._passed_by,
            elsewhere=tuple(sorted(set(gathered.elsewhere))),
            nameless=tuple(sorted(gathered.nameless)),
            unread=tuple(sorted(gathered.unread, key=lambda unread: unread.where)),
            read=dict(gathered.read),
        )

    # -- which face is meant ---------------------------------------------------

    def _claims(self) -> list[_Claim]:
        read: list[tuple[Words, Sequence[Reading]]] = []
        for words in self._gathered.words:
            if words.regions:
                facts = self._known.photos[words.photo]
                read.append((words, readings(words, facts, self._boxes(words.photo))))
        usual = usual_frames(read)
        claims: list[_Claim] = []
        for words, ways in read:
            photo = words.photo
            choice = choose(words, self._known.photos[photo], self._boxes(photo), ways, usual)
            if choice.reading and choice.reading.pairs and choice.reading.frame is not words.frame:
                self._frames[choice.reading.frame][photo] = None
            claims += self._claims_of(words, choice)
        return claims

    def _boxes(self, photo: str) -> list[tuple[float, float, float, float]]:
        return [place.box for place in self._known.faces.get(photo, ())]

    def _claims_of(self, words: Words, choice: Choice) -> Iterable[_Claim]:
        faces, reading = self._known.faces.get(words.photo, ()), choice.reading
        on_face = {face: box for box, face in reading.pairs.items()} if reading else {}
        for number, region in enumerate(words.regions):
            name = self._name(region.name)
            if name is None:
                continue
            self._spellings[person_key(name)][name] += 1
            face = reading.pairs.get(number) if reading else None
            if face is None and reading and faces:  # perhaps of a face that another box is set on
                rival = int(reading.fit[number].argmax())
                if rival in on_face and 0 < _AS_WELL * reading.fit[on_face[rival], rival] <= reading.fit[number, rival]:
                    face = rival
            if face is not None and reading:
                fit = float(reading.fit[number, face])
                yield _Claim(faces[face].face_id, words.photo, name, fit, words.source, words.where, region.sure)
            else:
                box = reading.boxes[number] if reading else None
                self._unmatched.append(Unplaced(words.photo, name, box, choice.doubt or NO_FACE, words.where))

    def _name(self, text: str) -> str | None:
        """The name as it is kept; None for no name."""
        name = clean_name(text)
        if not name or len(name) > _LONGEST_NAME or is_no_name(name):
            self._passed_by += 1
            return None
        return self._known.renamed.get(person_key(name), name)

    # -- what contradicts what -------------------------------------------------

    def _without_contradictions(self, claims: Iterable[_Claim]) -> dict[str, list[_Claim]]:
        """Face → what all say who spoke of it, once no two say otherwise, and nobody is said to be
        twice on a photo."""
        by_face: dict[str, list[_Claim]] = defaultdict(list)
        for claim in claims:
            by_face[claim.face_id].append(claim)
        for face, said in sorted(by_face.items()):
            if len({claim.key for claim in said}) > 1:
                self._conflict(said, "one face, several names")
                del by_face[face]
            elif re.fullmatch("[0-9]+|[0-9a-f]{16}", said[0].name):
                self._conflict(said, "the name would be taken for a number or a face")
                del by_face[face]
        faces_of: dict[tuple[str, str], dict[str, list[_Claim]]] = defaultdict(dict)
        for face, said in by_face.items():
            for claim in said:
                faces_of[claim.photo, claim.key].setdefault(face, []).append(claim)
        for _, faces in sorted(faces_of.items()):
            if len(faces) > 1:
                self._conflict([claim for said in faces.values() for claim in said], "one name, several faces")
                for face in faces:
                    by_face.pop(face, None)
        return dict(by_face)

    def _against_the_user(self, claims: Mapping[str, list[_Claim]]) -> tuple[list[Naming], int]:
        namings, already = [], 0
        for face, said in sorted(claims.items()):
            key, name = said[0].key, self._spelt(said[0].key)
            word = self._known.resolved.said.get(face)
            if word and word.confirmed and word.name is not None and person_key(word.name) == key:
                already += 1
            elif word and word.confirmed and word.name is not None:
                self._conflict(said, f"you said it is {word.name}")
            elif word and word.name is None:
                self._conflict(said, "you had this face ignored")
            elif self._is_rejected(face, key):
                self._conflict(said, f"you said it is not {name}")
            elif any(self._is_confirmed_elsewhere(claim, key) for claim in said):
                self._conflict(said, f"you said that another face of this photo is {name}")
            elif (here := self._known.named.get(face)) and not any(claim.sure for claim in said):
                # Our own suggestion of then says nothing against that of now.
                if person_key(here) == key:
                    already += 1
                else:
                    self._conflict(said, f"{name} was only suggested, and now {here} is")
            else:
                best = max(said, key=lambda claim: claim.fit)
                sources = tuple(sorted({claim.source for claim in said}))
                photo, sure = min(claim.photo for claim in said), any(claim.sure for claim in said)
                namings.append(Naming(face, photo, name, sources, round(best.fit, 3), sure))
        return namings, already

    def _is_rejected(self, face: str, key: str) -> bool:
        return key in map(person_key, self._known.resolved.rejected.get(face, ()))

    def _is_confirmed_elsewhere(self, claim: _Claim, key: str) -> bool:
        others = (place.face_id for place in self._known.faces.get(claim.photo, ()) if place.face_id != claim.face_id)
        words = (self._known.resolved.said[face] for face in others if face in self._known.resolved.said)
        return any(word.confirmed and word.name is not None and person_key(word.name) == key for word in words)

    def _conflict(self, said: Sequence[_Claim], why: str) -> None:
        self._conflicts.append(
            Conflict(
                photo=min(claim.photo for claim in said),
                faces=tuple(sorted({claim.face_id for claim in said})),
                names=tuple(sorted({claim.name for claim in said})),
                why=why,
                where=tuple(sorted({claim.where for claim in said})),
            )
        )

    def _spelt(self, key: str) -> str:
        """As the person is spelt already, else as most say."""
        if key in self._known.spelling:
            return self._known.spelling[key]
        return min(self._spellings[key].items(), key=lambda item: (-item[1], item[0]))[0]

    # -- names without a place ---------------------------------------------------

    def _placeless(self, claims: Mapping[str, list[_Claim]]) -> tuple[list[Unplaced], list[Naming]]:
        """Names that no region of the photo has, and those of them that only one face can be meant by."""
        names: dict[str, dict[str, Words]] = defaultdict(dict)
        spelt: dict[str, str] = {}
        for words in self._gathered.words:
            for text in words.people:
                if name := self._name(text):
                    spelt.setdefault(person_key(name), name)
                    names[words.photo].setdefault(person_key(name), words)
        taken: dict[str, set[str]] = defaultdict(set)
        for said in claims.values():
            for claim in said:
                taken[claim.photo].add(claim.key)
        spoken_of = {unplaced.photo for unplaced in self._unmatched} | {one.photo for one in self._conflicts}
        placeless, guesses = [], []
        for photo, words_of in sorted(names.items()):
            faces = self._known.faces.get(photo, ())
            here = {person_key(self._known.named[face.face_id]) for face in faces if face.face_id in self._known.named}
            left = [key for key in words_of if key not in taken[photo] | here]
            free = [face for face in faces if self._is_free(face.face_id, claims)]
            for key in left:
                words, name = words_of[key], self._known.spelling.get(key, spelt[key])
                if (
                    len(left) == len(free) == 1
                    and photo not in spoken_of
                    and not self._is_rejected(free[0].face_id, key)
                ):
                    guesses.append(Naming(free[0].face_id, photo, name, (f"keywords ({words.source})",), 0.0, False))
                else:
                    placeless.append(Unplaced(photo, name, None, "nothing says which face", words.where))
        return placeless, guesses

    def _is_free(self, face: str, claims: Mapping[str, list[_Claim]]) -> bool:
        return face not in claims and face not in self._known.named and face not in self._known.resolved.said


def _as_placeless(guess: Naming) -> Unplaced:
    return Unplaced(guess.photo, guess.name, None, "it may be the only face without a name", guess.sources[0])


def _by_photo(unplaced: Unplaced) -> tuple[str, str]:
    return unplaced.photo, unplaced.name
