"""Build persons from groups and answers: named people, then groups without a name."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faceclust.people.date_evidence import NO_DATE_EVIDENCE, DateEvidence
from faceclust.people.groups import Groups
from faceclust.people.names import person_key
from faceclust.people.replay import FaceSet, Label, ReplayedAnswers
from faceclust.types import NO_FACTS, Person


def build_persons(
    groups: Groups | None,
    resolved: ReplayedAnswers,
    photo_of: Mapping[str, str],
    evidence: DateEvidence = NO_DATE_EVIDENCE,
) -> tuple[Person, ...]:
    """Combine the groups with the user's answers about their faces.

    A confirmed face has its name whatever its group. A group belongs to the person of most of its
    confirmed faces, or of its named faces if none is confirmed. Its other faces are suggested as
    that person, even if they were suggested as somebody else before. A named face in a group without
    an owner keeps its name. Nobody is suggested twice on a photo, for a face rejected as that
    person, or for one on a photo from before their birth, by the `evidence`. A group is ignored if more
    than half of its faces are.

    Merged groups count as one. `photo_of` maps a face to its photo, or frame of a video. Named persons
    come first, then unnamed groups, then ignored ones, each by descending number of faces; favourites
    come before other named persons.
    """
    number_of = groups.number_of if groups else {}
    untouched, touched = _separate_labelled_groups(groups, resolved)
    people = _NameAssignment(resolved, photo_of, evidence)
    for group in touched:
        labels = list(map(resolved.labels.get, group.faces))
        owner, confirmed = _find_owner(labels)
        if owner is not None:
            people.suggest(owner, group.faces_for_owner(labels, owner, confirmed=confirmed), group.strength)
    people.keep_remaining_suggestions()
    unnamed = [Person(f"group-{number}", None, faces, frozenset(), (number,)) for number, faces in untouched]
    for group in touched:
        nameless = set(group.faces) - people.named
        ignored = {face for face in nameless if face in resolved.labels and resolved.labels[face].name is None}
        if 2 * len(ignored) > len(group.faces):
            ignored.update(nameless)
        unnamed += _build_unnamed(nameless - ignored, number_of, ignored=False)
        unnamed += _build_unnamed(ignored, number_of, ignored=True)
    named = [
        Person(
            id=hashlib.blake2b(person_key(name).encode(), digest_size=6).hexdigest(),
            name=name,
            face_ids=tuple(sorted(faces)),
            confirmed=frozenset(people.confirmed.get(name, ())),
            clusters=tuple(sorted({number for number in map(number_of.get, faces) if number is not None})),
            facts=resolved.facts.get(person_key(name), NO_FACTS),
        )
        for name, faces in people.faces_by_name().items()
    ]
    named.sort(key=lambda person: (not person.facts.favourite, -len(person.face_ids), person_key(person.label)))
    unnamed.sort(key=lambda person: (person.ignored, -len(person.face_ids), person.clusters))
    return (*named, *unnamed)


@dataclass(frozen=True)
class _LabelledGroup:
    """The faces of a group, or of several merged ones."""

    faces: tuple[str, ...]
    strength: Mapping[str, float]

    def faces_for_owner(self, labels: Sequence[Label | None], owner: str, *, confirmed: bool) -> list[str]:
        """Return the faces that may be suggested as the owner. `labels` are those of the group's faces.

        If the owner is not confirmed, faces suggested as somebody else keep that name.
        """

        def is_available(label: Label) -> bool:
            return label.name is not None and not label.confirmed and (confirmed or label.name == owner)

        return [face for face, label in zip(self.faces, labels, strict=True) if label is None or is_available(label)]


class _NameAssignment:
    """The names assigned to faces so far: the `confirmed` and the `suggested` faces of each, and all `named` ones."""

    def __init__(self, resolved: ReplayedAnswers, photo_of: Mapping[str, str], evidence: DateEvidence) -> None:
        self._resolved, self._photo_of, self._evidence = resolved, photo_of, evidence
        self.confirmed: dict[str, list[str]] = defaultdict(list)
        self.suggested: dict[str, list[str]] = defaultdict(list)
        for face, label in resolved.labels.items():
            if label.confirmed and label.name is not None:
                self.confirmed[label.name].append(face)
        self.named = {face for faces in self.confirmed.values() for face in faces}
        self._photos_with: dict[str, set[str]] = {}  # by name, for names that were suggested

    def suggest(self, name: str, faces: Sequence[str], strength: Mapping[str, float]) -> None:
        """Suggest these faces as a person, unless the photo has that person or is from before the birth, or the
        face was rejected.

        Of two faces of a photo, the one that fits its group better is suggested.
        """
        photo_of, rejected = self._photo_of, self._resolved.rejected
        if name not in self._photos_with:
            self._photos_with[name] = {photo_of[face] for face in self.confirmed.get(name, ())}
        photos, suggested = self._photos_with[name], self.suggested[name]
        if too_early := set(self._evidence.find_before_birth(name, faces)):
            faces = [face for face in faces if face not in too_early]
        if len({photo_of[face] for face in faces}) < len(faces):  # the order matters
            faces = sorted(faces, key=lambda face: (-strength.get(face, 0.0), face))
        for face in faces:
            if photo_of[face] not in photos and name not in rejected.get(face, ()):
                photos.add(photo_of[face])
                suggested.append(face)
                self.named.add(face)

    def keep_remaining_suggestions(self) -> None:
        """Keep the name of suggested faces that no owner has claimed."""
        labels = self._resolved.labels
        for face in sorted(labels.keys() - self.named):
            if (name := labels[face].name) is not None:
                self.suggest(name, [face], {})

    def faces_by_name(self) -> dict[str, list[str]]:
        names = dict.fromkeys((*self.confirmed, *self.suggested))
        faces = {name: self.confirmed.get(name, []) + self.suggested.get(name, []) for name in names}
        return {name: found for name, found in faces.items() if found}


def _separate_labelled_groups(
    groups: Groups | None, resolved: ReplayedAnswers
) -> tuple[list[tuple[int, tuple[str, ...]]], list[_LabelledGroup]]:
    """Return the groups without answers, with their numbers, and the other groups, merged ones as one."""
    if groups is None:
        return [], []
    merged_into = merged_group_numbers(groups.number_of, resolved.merges)
    merged: dict[int, list[int]] = defaultdict(list)
    for number, into in sorted(merged_into.items()):
        merged[into].append(number)
    labelled = {number for number in map(groups.number_of.get, resolved.labels) if number is not None}
    single = [[number] for number in sorted(labelled - merged_into.keys())]
    touched = [
        _LabelledGroup(tuple(face for number in numbers for face in groups.members[number]), groups.strength)
        for numbers in (*single, *(numbers for _, numbers in sorted(merged.items())))
    ]
    answered = labelled | merged_into.keys()
    untouched = [(number, faces) for number, faces in groups.members.items() if number not in answered]
    return untouched, touched


def merged_group_numbers(number_of: Mapping[str, int], merges: Sequence[FaceSet]) -> dict[int, int]:
    """Map the number of each merged group to the lowest number among the groups merged with it."""
    into: dict[int, int] = {}

    def root(number: int) -> int:
        while into[number] != number:
            number = into[number]
        return number

    for faces in merges:
        numbers = {number_of[face] for face in faces if face in number_of}
        for number in numbers:
            into.setdefault(number, number)
        roots = sorted({root(number) for number in numbers})
        for number in roots[1:]:
            into[number] = roots[0]
    return {number: root(number) for number in into}


def _build_unnamed(faces: set[str], number_of: Mapping[str, int], *, ignored: bool) -> list[Person]:
    if not faces:
        return []
    numbers = tuple(sorted({number_of[face] for face in faces}))
    id = f"{'ignored' if ignored else 'group'}-{numbers[0]}"
    return [Person(id, None, tuple(sorted(faces)), frozenset(), numbers, ignored=ignored)]


def _find_owner(labels: Iterable[Label | None]) -> tuple[str | None, bool]:
    """Return the name that a group with these labels belongs to, None without one, and whether a face confirms it."""
    named = [label for label in labels if label is not None and label.name is not None]
    confirmed = [label for label in named if label.confirmed]
    counts = Counter(label.name for label in confirmed or named if label.name is not None)
    return min(counts, key=lambda name: (-counts[name], name), default=None), bool(confirmed)
