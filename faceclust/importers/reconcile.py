"""Reconcile names from other programs with the found faces and the user's answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceclust.importers.additions import NO_FACE_FOUND, AdditionPlanner, UnmatchedRegion, is_face_id
from faceclust.importers.coordinate_frame import (
    FrameChoice,
    FrameInterpretation,
    choose_interpretation,
    infer_usual_frames,
    interpret_boxes,
)
from faceclust.importers.group_names import place_names
from faceclust.importers.library_names import LibraryNames
from faceclust.importers.plan import Conflict, FaceAddition, FaceNaming, ImportPlan, UnplacedName
from faceclust.importers.values import Frame, PhotoNames
from faceclust.people.names import MAX_NAME_LENGTH, clean_name, person_key
from faceclust.text.caseless import caseless_key
from faceclust.text.placeholders import is_placeholder_name
from faceclust.types import Box

if TYPE_CHECKING:
    from faceclust.importers.collect import CollectedNames

#: A box means the same face as the matched box if its fit is at least this share of the other's.
_RIVAL_FIT_RATIO = 0.6


@dataclass(frozen=True)
class _Claim:
    """A source's claim that a face is a person."""

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


@dataclass
class _UnplacedNames:
    """Names without a region, by what is known about their faces.

    `by_group`: on faces that groups show. `guesses`: perhaps the photo's only unnamed face. `without_face`: no
    face of the photo is theirs, so that they can be put on the `whole` photo. `others` stay without a face.
    """

    by_group: list[FaceNaming] = field(default_factory=list)
    guesses: list[FaceNaming] = field(default_factory=list)
    without_face: list[UnplacedName] = field(default_factory=list)
    whole: list[FaceAddition] = field(default_factory=list)
    others: list[UnplacedName] = field(default_factory=list)

    def add(self, unplaced: UnplacedName, whole: FaceAddition | None) -> None:
        """Add a name that is on no found face, and the person to put on the whole photo, if it can be."""
        if whole is None:
            self.others.append(unplaced)
        else:
            self.without_face.append(unplaced)
            self.whole.append(whole)


def reconcile(
    collected: CollectedNames, known: LibraryNames, *, keywords: bool = False, add_faces: bool = False
) -> ImportPlan:
    """Plan which of the collected names to enter.

    The user's answers always take precedence. Names that contradict each other, or the user, are
    listed as conflicts and not entered. A name without a region is suggested for the face on the photo whose
    group is mostly on photos with that name. With `keywords`, the only remaining name of a photo without a
    region goes to its only unnamed face, as a suggestion. With `add_faces`, names become faces drawn by hand at
    places where no face was found, and people on the whole photo if it shows no unnamed face.
    """
    return _Reconciliation(collected, known).build_plan(keywords=keywords, add_faces=add_faces)


class _Reconciliation:
    def __init__(self, collected: CollectedNames, known: LibraryNames) -> None:
        self._collected, self._known = collected, known
        self._conflicts: list[Conflict] = []
        self._regions: list[UnmatchedRegion] = []
        self._unmatched: list[UnplacedName] = []
        self._photos_by_frame: dict[Frame, dict[str, None]] = {frame: {} for frame in Frame}
        self._unnamed_regions = 0
        self._placeholders: Counter[str] = Counter()
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)

    def build_plan(self, *, keywords: bool, add_faces: bool) -> ImportPlan:
        made = self._make_claims()
        claims = self._drop_contradictions(made)
        namings, known = self._check_against_user(claims)
        planner = AdditionPlanner(self._known, [(one.photo, one.key) for one in made], self._preferred_spelling)
        additions, others = planner.plan_drawn(self._regions)
        self._unmatched = others if add_faces else [region.unplaced for region in self._regions]
        unplaced = self._match_unplaced_names(claims, planner)
        additions += unplaced.whole
        placeless = unplaced.others if add_faces else [*unplaced.others, *unplaced.without_face]
        namings += unplaced.by_group
        if keywords:
            namings += unplaced.guesses
        else:
            placeless = [*placeless, *map(_to_unplaced_name, unplaced.guesses)]
        collected = self._collected
        conflicts = [*self._conflicts, *dict.fromkeys(collected.ambiguous)]
        return ImportPlan(
            namings=tuple(sorted(namings, key=lambda n: (n.photo, n.face_id))),
            known=known,
            conflicts=tuple(sorted(conflicts, key=lambda c: (c.photo, c.faces, c.names))),
            additions=tuple(sorted(additions, key=lambda a: (a.photo, a.box, a.name))) if add_faces else (),
            addable=0 if add_faces else len(additions),
            unmatched=tuple(sorted(self._unmatched, key=lambda u: (u.photo, u.name, u.where))),
            placeless=tuple(sorted(placeless, key=_photo_and_name)),
            ungrouped=bool(placeless) and self._known.persons is None,
            upright=tuple(sorted(self._photos_by_frame[Frame.UPRIGHT])),
            turned=tuple(sorted(self._photos_by_frame[Frame.ROTATED])),
            passed_by=self._unnamed_regions,
            placeholders=dict(self._placeholders.most_common()),
            elsewhere=tuple(sorted(set(collected.unknown_photos))),
            nameless=tuple(sorted(collected.unnamed_contacts)),
            unread=tuple(sorted(collected.unreadable, key=lambda unread: unread.where)),
            branches=self._several_branches(),
            other_roots=tuple(collected.other_roots),
            read=dict(collected.read_counts),
        )

    def _several_branches(self) -> dict[str, tuple[str, ...]]:
        """Return the branches of each name that is in several."""
        branches: dict[str, dict[str, str]] = defaultdict(dict)  # by key of the name and of the branch
        spelling: dict[str, str] = {}
        for text, found in sorted(self._collected.branches.items()):
            name = clean_name(text)
            if name and not is_placeholder_name(name):
                spelling.setdefault(person_key(name), self._known.spelling.get(person_key(name), name))
                branches[person_key(name)] |= {caseless_key(branch): branch for branch in sorted(found)}
        return {spelling[key]: tuple(some.values()) for key, some in sorted(branches.items()) if len(some) > 1}

    # -- Match regions with faces -----------------------------------------------

    def _make_claims(self) -> list[_Claim]:
        interpreted: list[tuple[PhotoNames, Sequence[FrameInterpretation]]] = []
        for names in self._collected.photo_names:
            if names.regions:
                photo = self._known.photos[names.photo]
                interpreted.append((names, interpret_boxes(names, photo, self._face_boxes(names.photo))))
        usual_frames = infer_usual_frames(interpreted)
        claims: list[_Claim] = []
        for names, candidates in interpreted:
            photo, boxes = self._known.photos[names.photo], self._face_boxes(names.photo)
            choice = choose_interpretation(names, photo, boxes, candidates, usual_frames)
            chosen = choice.interpretation
            if chosen and chosen.pairs and chosen.frame is not names.frame:
                self._photos_by_frame[chosen.frame][names.photo] = None
            claims += self._claims_from_names(names, choice)
        return claims

    def _face_boxes(self, photo: str) -> list[Box]:
        return [face.box for face in self._known.faces.get(photo, ()) if not face.is_whole_photo]

    def _claims_from_names(self, names: PhotoNames, choice: FrameChoice) -> Iterable[_Claim]:
        faces, chosen = self._known.faces.get(names.photo, ()), choice.interpretation
        for number, region in enumerate(names.regions):
            name = self._normalise_name(region.name)
            if name is None:
                continue
            self._spellings[person_key(name)][name] += 1
            face = _match_region(chosen, number) if chosen and chosen.fit.size else None
            if face is not None and chosen:
                fit = float(chosen.fit[number, face])
                yield _Claim(faces[face].face_id, names.photo, name, fit, names.source, names.where, region.confirmed)
            else:
                box = chosen.boxes[number] if chosen else None
                reason = choice.undecided_reason or NO_FACE_FOUND
                unplaced = UnplacedName(names.photo, name, box, reason, names.where)
                self._regions.append(UnmatchedRegion(unplaced, names.source, region.confirmed, choice.is_certain))

    def _normalise_name(self, text: str) -> str | None:
        """Return the name in its present form; None for text that is not a name."""
        name = clean_name(text) if len(text) <= MAX_NAME_LENGTH else ""  # cleaning megabytes takes long
        if not name or len(name) > MAX_NAME_LENGTH or is_placeholder_name(name):
            self._unnamed_regions += 1
            if 0 < len(name) <= MAX_NAME_LENGTH:
                self._placeholders[name] += 1
            return None
        return self._known.renamed.get(person_key(name), name)

    # -- Contradictions ---------------------------------------------------------

    def _drop_contradictions(self, claims: Iterable[_Claim]) -> dict[str, list[_Claim]]:
        """Group the claims by face, without those that contradict each other.

        A face has one name, and a person has one face per photo.
        """
        by_face: dict[str, list[_Claim]] = defaultdict(list)
        for claim in claims:
            by_face[claim.face_id].append(claim)
        for face, same_face in sorted(by_face.items()):
            if len({claim.key for claim in same_face}) > 1:
                self._add_conflict(same_face, "one face, several names")
                del by_face[face]
            elif is_face_id(same_face[0].name):
                self._add_conflict(same_face, "the name would be read as a face id")
                del by_face[face]
        faces_of: dict[tuple[str, str], dict[str, list[_Claim]]] = defaultdict(dict)
        for face, same_face in by_face.items():
            for claim in same_face:
                faces_of[claim.photo, claim.key].setdefault(face, []).append(claim)
        for _, faces in sorted(faces_of.items()):
            if len(faces) > 1:
                same_name = [claim for same_face in faces.values() for claim in same_face]
                self._add_conflict(same_name, "one name, several faces")
                for face in faces:
                    by_face.pop(face, None)
        return dict(by_face)

    def _check_against_user(self, claims: Mapping[str, list[_Claim]]) -> tuple[list[FaceNaming], int]:
        """Return the namings that do not contradict the user, and the number of faces named already."""
        namings, known = [], 0
        for face, same_face in sorted(claims.items()):
            key, name = same_face[0].key, self._preferred_spelling(same_face[0].key)
            # An earlier suggestion of ours does not override the current one.
            only_suggested = not any(claim.confirmed for claim in same_face)
            current = self._known.current_names.get(face) if only_suggested else None
            if self._is_confirmed_as(face, key):
                known += 1
            elif reason := self._contradicted_answer(same_face, key, name):
                self._add_conflict(same_face, reason)
            elif current and person_key(current) == key:
                known += 1
            elif current:
                self._add_conflict(same_face, f"{name} was only suggested, and {current} is suggested now")
            else:
                fit = max(claim.fit for claim in same_face)
                sources = tuple(sorted({claim.source for claim in same_face}))
                photo = min(claim.photo for claim in same_face)
                namings.append(FaceNaming(face, photo, name, sources, round(fit, 3), not only_suggested))
        return namings, known

    def _contradicted_answer(self, same_face: Sequence[_Claim], key: str, name: str) -> str:
        """Return the user's answer that a face's claims contradict; "" if it is missing."""
        face = same_face[0].face_id
        label = self._known.resolved.labels.get(face)
        if label and label.name is None:
            return "you ignored this face"
        if label and label.confirmed:
            return f"you said it is {label.name}"
        if self._is_rejected(face, key):
            return f"you said it is not {name}"
        if any(self._is_confirmed_elsewhere(claim, key) for claim in same_face):
            return f"you said that another face of this photo is {name}"
        return ""

    def _is_confirmed_as(self, face: str, key: str) -> bool:
        label = self._known.resolved.labels.get(face)
        return bool(label and label.confirmed and label.name is not None and person_key(label.name) == key)

    def _is_rejected(self, face: str, key: str) -> bool:
        return key in map(person_key, self._known.resolved.rejected.get(face, ()))

    def _is_confirmed_elsewhere(self, claim: _Claim, key: str) -> bool:
        faces = self._known.faces.get(claim.photo, ())
        return any(self._is_confirmed_as(face.face_id, key) for face in faces if face.face_id != claim.face_id)

    def _add_conflict(self, claims: Sequence[_Claim], why: str) -> None:
        self._conflicts.append(
            Conflict(
                photo=min(claim.photo for claim in claims),
                faces=tuple(sorted({claim.face_id for claim in claims})),
                names=tuple(sorted({claim.name for claim in claims})),
                why=why,
                where=tuple(sorted({claim.where for claim in claims})),
            )
        )

    def _preferred_spelling(self, key: str) -> str:
        """Return the library's spelling of a name, else the most frequent one."""
        if key in self._known.spelling:
            return self._known.spelling[key]
        return min(self._spellings[key].items(), key=lambda item: (-item[1], item[0]))[0]

    # -- Names without a region --------------------------------------------------

    def _match_unplaced_names(self, claims: Mapping[str, list[_Claim]], planner: AdditionPlanner) -> _UnplacedNames:
        """Match the names without a region. Those with a region on the same photo are left out."""
        spelling: dict[str, str] = {}
        source_of: dict[str, dict[str, PhotoNames]] = defaultdict(dict)  # by photo and key of the name
        unseen: dict[str, dict[str, PhotoNames]] = defaultdict(dict)  # likewise, of people whose face is not to be seen
        for names in self._collected.photo_names:
            for texts, found in ((names.people, source_of), (names.without_face, unseen)):
                for name in filter(None, map(self._normalise_name, texts)):
                    spelling.setdefault(person_key(name), name)
                    self._spellings[person_key(name)][name] += 1
                    found[names.photo].setdefault(person_key(name), names)
        spelling |= self._known.spelling
        placed = self._place_by_groups(source_of, claims)
        keys_on_photo: dict[str, set[str]] = defaultdict(set)
        for claim in (claim for same_face in claims.values() for claim in same_face):
            keys_on_photo[claim.photo].add(claim.key)
        for region in self._regions:
            keys_on_photo[region.unplaced.photo].add(region.key)
        doubtful = {unplaced.photo for unplaced in self._unmatched} | {one.photo for one in self._conflicts}
        contradicted = {(one.photo, person_key(name)) for one in self._conflicts for name in one.names}
        result = _UnplacedNames()
        taken: set[str] = set()
        for photo in sorted(source_of.keys() | unseen.keys()):
            faces = [face.face_id for face in self._known.faces.get(photo, ()) if not face.is_whole_photo]
            elsewhere = keys_on_photo[photo] | self._known.keys_on(photo) | unseen[photo].keys()
            keys = [key for key in source_of[photo] if key not in elsewhere]
            for key, face in [(key, placed[photo, key]) for key in keys if (photo, key) in placed]:
                keys.remove(key)
                if face not in taken:  # a copy of the photo has the same face
                    taken.add(face)
                    source = f"co-occurrence ({source_of[photo][key].source})"
                    result.by_group.append(FaceNaming(face, photo, spelling[key], (source,), 0.0, False))
            free = [id for id in faces if id not in taken and self._is_unclaimed(id, claims)]
            is_unambiguous = len(keys) == len(free) == 1 and photo not in doubtful
            for key in keys:
                names = source_of[photo][key]
                possible = [face for face in free if not self._is_rejected(face, key)]
                if is_unambiguous and possible:
                    kind = f"keywords ({names.source})"
                    result.guesses.append(FaceNaming(free[0], photo, spelling[key], (kind,), 0.0, False))
                    continue
                is_open = possible or (photo, key) in contradicted
                whole = None if is_open else planner.plan_whole(photo, key, names.source)
                result.add(UnplacedName(photo, spelling[key], None, "it has no region", names.where), whole)
            for key, names in unseen[photo].items():
                if not planner.is_on_photo(photo, key):
                    unplaced = UnplacedName(photo, spelling[key], None, "no face is to be seen", names.where)
                    result.add(unplaced, planner.plan_whole(photo, key, names.source))
        return result

    def _place_by_groups(
        self, source_of: Mapping[str, Mapping[str, PhotoNames]], claims: Mapping[str, list[_Claim]]
    ) -> dict[tuple[str, str], str]:
        """Return the faces of names without a region by photo and key, as far as groups show them and the user's
        answers and other claims allow it."""
        if self._known.persons is None or not source_of:
            return {}
        claimed = {face: same_face[0].key for face, same_face in claims.items()}
        without_face = {(region.unplaced.photo, region.key) for region in self._regions}
        seen = {
            photo: [face for face in faces if not face.is_whole_photo] for photo, faces in self._known.faces.items()
        }
        placed = place_names(self._known.photos, seen, self._known.persons, source_of, claimed)
        return {
            (photo, key): face
            for (photo, key), face in placed.items()
            if self._is_unclaimed(face, claims)
            and not is_face_id(key)
            and not self._is_rejected(face, key)
            and (photo, key) not in without_face
        }

    def _is_unclaimed(self, face: str, claims: Mapping[str, list[_Claim]]) -> bool:
        return face not in claims and face not in self._known.current_names and face not in self._known.resolved.labels


def _match_region(chosen: FrameInterpretation, number: int) -> int | None:
    """Return the face of a region: the matched one, or one that another region fits only slightly better."""
    if number in chosen.pairs:
        return chosen.pairs[number]
    face = int(chosen.fit[number].argmax())
    rival = next((box for box, other in chosen.pairs.items() if other == face), None)
    if rival is not None and 0 < _RIVAL_FIT_RATIO * chosen.fit[rival, face] <= chosen.fit[number, face]:
        return face
    return None


def _to_unplaced_name(guess: FaceNaming) -> UnplacedName:
    return UnplacedName(guess.photo, guess.name, None, "it may be the only face without a name", guess.sources[0])


def _photo_and_name(unplaced: UnplacedName) -> tuple[str, str]:
    return unplaced.photo, unplaced.name
