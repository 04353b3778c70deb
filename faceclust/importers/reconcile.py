"""Words of other programs set against the found faces and what the user said."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceclust.importers.coordinate_frame import (
    FrameChoice,
    FrameInterpretation,
    choose_interpretation,
    infer_usual_frames,
    interpret_boxes,
)
from faceclust.importers.keywords import is_placeholder_name
from faceclust.importers.plan import Conflict, FaceNaming, ImportPlan, UnplacedName
from faceclust.importers.values import Frame, PhotoNames
from faceclust.people.names import clean_name, person_key
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import Box, FaceOccurrence, PhotoInfo

if TYPE_CHECKING:
    from faceclust.importers.collect import CollectedNames

#: A box that fits a face this much as well as the box that was set on it speaks of the same face.
_RIVAL_FIT_RATIO = 0.6
_MAX_NAME_LENGTH = 200  # characters; what is longer is a text
NO_FACE_FOUND = "no face was found there"


@dataclass(frozen=True)
class LibraryNames:
    """What is known of a library: its `photos`, the `faces` on each, what was `said` of them, the
    `spelling` of the names by their keys, what persons are called now who were renamed, by the
    key they had (`renamed`), and the faces that have a name, if only a suggested one (`named`)."""

    photos: Mapping[str, PhotoInfo]
    faces: Mapping[str, Sequence[FaceOccurrence]]
    resolved: ReplayedAnswers
    spelling: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    current_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Claim:
    """Somebody says that this face is this person."""

    face_id: str
    photo: str
    name: str
    fit: float
    source: str
    where: str
    confirmed: bool

    @property
    def key(self) -> str:
        return person_key(self.name)


def reconcile(collected: CollectedNames, known: LibraryNames, *, keywords: bool = False) -> ImportPlan:
    """What is to be entered of what was gathered. What the user confirmed always stands; where words
    contradict each other, or what the user said, nothing is entered and the conflict is listed.
    `keywords`: a name without a place goes, as a suggestion, to the only face of its photo without a
    name, where it is the only name left."""
    return _Reconciliation(collected, known).build_plan(keywords=keywords)


class _Reconciliation:
    def __init__(self, gathered: CollectedNames, known: LibraryNames) -> None:
        self._collected, self._known = gathered, known
        self._conflicts: list[Conflict] = []
        self._unmatched: list[UnplacedName] = []
        self._photos_by_frame: dict[Frame, dict[str, None]] = {frame: {} for frame in Frame}
        self._unnamed_regions = 0
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)

    def build_plan(self, *, keywords: bool) -> ImportPlan:
        claims = self._drop_contradictions(self._make_claims())
        namings, already = self._check_against_user(claims)
        placeless, guesses = self._match_unplaced_names(claims)
        gathered = self._collected
        return ImportPlan(
            namings=tuple(sorted([*namings, *(guesses if keywords else ())], key=lambda n: (n.photo, n.face_id))),
            known=already,
            conflicts=tuple(
                sorted(
                    [*self._conflicts, *dict.fromkeys(gathered.ambiguous)], key=lambda c: (c.photo, c.faces, c.names)
                )
            ),
            unmatched=tuple(sorted(self._unmatched, key=lambda u: (u.photo, u.name, u.where))),
            placeless=tuple(
                placeless if keywords else sorted([*placeless, *map(_to_unplaced_name, guesses)], key=_photo_and_name)
            ),
            upright=tuple(sorted(self._photos_by_frame[Frame.UPRIGHT])),
            turned=tuple(sorted(self._photos_by_frame[Frame.ROTATED])),
            passed_by=self._unnamed_regions,
            elsewhere=tuple(sorted(set(gathered.unknown_photos))),
            nameless=tuple(sorted(gathered.unnamed_contacts)),
            unread=tuple(sorted(gathered.unreadable, key=lambda unread: unread.where)),
            read=dict(gathered.read_counts),
        )

    # -- which face is meant ---------------------------------------------------

    def _make_claims(self) -> list[_Claim]:
        read: list[tuple[PhotoNames, Sequence[FrameInterpretation]]] = []
        for words in self._collected.photo_names:
            if words.regions:
                facts = self._known.photos[words.photo]
                read.append((words, interpret_boxes(words, facts, self._face_boxes(words.photo))))
        usual = infer_usual_frames(read)
        claims: list[_Claim] = []
        for words, ways in read:
            photo = words.photo
            choice = choose_interpretation(words, self._known.photos[photo], self._face_boxes(photo), ways, usual)
            if choice.interpretation and choice.interpretation.pairs and choice.interpretation.frame is not words.frame:
                self._photos_by_frame[choice.interpretation.frame][photo] = None
            claims += self._claims_from_names(words, choice)
        return claims

    def _face_boxes(self, photo: str) -> list[Box]:
        return [place.box for place in self._known.faces.get(photo, ())]

    def _claims_from_names(self, words: PhotoNames, choice: FrameChoice) -> Iterable[_Claim]:
        faces, reading = self._known.faces.get(words.photo, ()), choice.interpretation
        on_face = {face: box for box, face in reading.pairs.items()} if reading else {}
        for number, region in enumerate(words.regions):
            name = self._normalise_name(region.name)
            if name is None:
                continue
            self._spellings[person_key(name)][name] += 1
            face = reading.pairs.get(number) if reading else None
            if face is None and reading and faces:  # perhaps of a face that another box is set on
                rival = int(reading.fit[number].argmax())
                if (
                    rival in on_face
                    and 0 < _RIVAL_FIT_RATIO * reading.fit[on_face[rival], rival] <= reading.fit[number, rival]
                ):
                    face = rival
            if face is not None and reading:
                fit = float(reading.fit[number, face])
                yield _Claim(faces[face].face_id, words.photo, name, fit, words.source, words.where, region.confirmed)
            else:
                box = reading.boxes[number] if reading else None
                self._unmatched.append(
                    UnplacedName(words.photo, name, box, choice.undecided_reason or NO_FACE_FOUND, words.where)
                )

    def _normalise_name(self, text: str) -> str | None:
        """The name as it is kept; None for no name."""
        name = clean_name(text)
        if not name or len(name) > _MAX_NAME_LENGTH or is_placeholder_name(name):
            self._unnamed_regions += 1
            return None
        return self._known.renamed.get(person_key(name), name)

    # -- what contradicts what -------------------------------------------------

    def _drop_contradictions(self, claims: Iterable[_Claim]) -> dict[str, list[_Claim]]:
        """Face → what all say who spoke of it, once no two say otherwise, and nobody is said to be
        twice on a photo."""
        by_face: dict[str, list[_Claim]] = defaultdict(list)
        for claim in claims:
            by_face[claim.face_id].append(claim)
        for face, said in sorted(by_face.items()):
            if len({claim.key for claim in said}) > 1:
                self._add_conflict(said, "one face, several names")
                del by_face[face]
            elif re.fullmatch("[0-9]+|[0-9a-f]{16}", said[0].name):
                self._add_conflict(said, "the name would be taken for a number or a face")
                del by_face[face]
        faces_of: dict[tuple[str, str], dict[str, list[_Claim]]] = defaultdict(dict)
        for face, said in by_face.items():
            for claim in said:
                faces_of[claim.photo, claim.key].setdefault(face, []).append(claim)
        for _, faces in sorted(faces_of.items()):
            if len(faces) > 1:
                self._add_conflict([claim for said in faces.values() for claim in said], "one name, several faces")
                for face in faces:
                    by_face.pop(face, None)
        return dict(by_face)

    def _check_against_user(self, claims: Mapping[str, list[_Claim]]) -> tuple[list[FaceNaming], int]:
        namings, already = [], 0
        for face, said in sorted(claims.items()):
            key, name = said[0].key, self._preferred_spelling(said[0].key)
            word = self._known.resolved.labels.get(face)
            if word and word.confirmed and word.name is not None and person_key(word.name) == key:
                already += 1
            elif word and word.confirmed and word.name is not None:
                self._add_conflict(said, f"you said it is {word.name}")
            elif word and word.name is None:
                self._add_conflict(said, "you had this face ignored")
            elif self._is_rejected(face, key):
                self._add_conflict(said, f"you said it is not {name}")
            elif any(self._is_confirmed_elsewhere(claim, key) for claim in said):
                self._add_conflict(said, f"you said that another face of this photo is {name}")
            elif (here := self._known.current_names.get(face)) and not any(claim.confirmed for claim in said):
                # Our own suggestion of then says nothing against that of now.
                if person_key(here) == key:
                    already += 1
                else:
                    self._add_conflict(said, f"{name} was only suggested, and now {here} is")
            else:
                best = max(said, key=lambda claim: claim.fit)
                sources = tuple(sorted({claim.source for claim in said}))
                photo, sure = min(claim.photo for claim in said), any(claim.confirmed for claim in said)
                namings.append(FaceNaming(face, photo, name, sources, round(best.fit, 3), sure))
        return namings, already

    def _is_rejected(self, face: str, key: str) -> bool:
        return key in map(person_key, self._known.resolved.rejected.get(face, ()))

    def _is_confirmed_elsewhere(self, claim: _Claim, key: str) -> bool:
        others = (place.face_id for place in self._known.faces.get(claim.photo, ()) if place.face_id != claim.face_id)
        words = (self._known.resolved.labels[face] for face in others if face in self._known.resolved.labels)
        return any(word.confirmed and word.name is not None and person_key(word.name) == key for word in words)

    def _add_conflict(self, said: Sequence[_Claim], why: str) -> None:
        self._conflicts.append(
            Conflict(
                photo=min(claim.photo for claim in said),
                faces=tuple(sorted({claim.face_id for claim in said})),
                names=tuple(sorted({claim.name for claim in said})),
                why=why,
                where=tuple(sorted({claim.where for claim in said})),
            )
        )

    def _preferred_spelling(self, key: str) -> str:
        """As the person is spelt already, else as most say."""
        if key in self._known.spelling:
            return self._known.spelling[key]
        return min(self._spellings[key].items(), key=lambda item: (-item[1], item[0]))[0]

    # -- names without a place ---------------------------------------------------

    def _match_unplaced_names(self, claims: Mapping[str, list[_Claim]]) -> tuple[list[UnplacedName], list[FaceNaming]]:
        """Names that no region of the photo has, and those of them that only one face can be meant by."""
        names: dict[str, dict[str, PhotoNames]] = defaultdict(dict)
        spelt: dict[str, str] = {}
        for words in self._collected.photo_names:
            for text in words.people:
                if name := self._normalise_name(text):
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
            here = {
                person_key(self._known.current_names[face.face_id])
                for face in faces
                if face.face_id in self._known.current_names
            }
            left = [key for key in words_of if key not in taken[photo] | here]
            free = [face for face in faces if self._is_unclaimed(face.face_id, claims)]
            for key in left:
                words, name = words_of[key], self._known.spelling.get(key, spelt[key])
                if (
                    len(left) == len(free) == 1
                    and photo not in spoken_of
                    and not self._is_rejected(free[0].face_id, key)
                ):
                    guesses.append(
                        FaceNaming(free[0].face_id, photo, name, (f"keywords ({words.source})",), 0.0, False)
                    )
                else:
                    placeless.append(UnplacedName(photo, name, None, "nothing says which face", words.where))
        return placeless, guesses

    def _is_unclaimed(self, face: str, claims: Mapping[str, list[_Claim]]) -> bool:
        return face not in claims and face not in self._known.current_names and face not in self._known.resolved.labels


def _to_unplaced_name(guess: FaceNaming) -> UnplacedName:
    return UnplacedName(guess.photo, guess.name, None, "it may be the only face without a name", guess.sources[0])


def _photo_and_name(unplaced: UnplacedName) -> tuple[str, str]:
    return unplaced.photo, unplaced.name
