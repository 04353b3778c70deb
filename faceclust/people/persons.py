"""Persons: the named ones first, then the groups nobody has named."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faceclust.people.names import person_key
from faceclust.people.resolve import FaceSet, Resolved, Said
from faceclust.types import Clustering, Person


def build_persons(clustering: Clustering | None, resolved: Resolved, photo_of: Mapping[str, str]) -> tuple[Person, ...]:
    """Join the groups with what the user said of their faces.

    A confirmed face has its name, in whatever group it lies. A group belongs to whom most of
    its confirmed faces belong to (then: of its named faces); its other faces come with it as
    that person's, suggested, and so does what came with another name before. A named face in a
    group that is nobody's keeps its name. Nobody is suggested on a photo where they are
    already, nor for a face said not to be theirs. A group most of whose faces are ignored is
    ignored; else its other faces are asked about.

    Faces said to be apart leave their group, and groups said to be one person are one. The
    faces of one photo are told by `photo_of`, its content hash. Named persons come first, then
    unnamed groups, then ignored ones, each by falling number of faces.
    """
    groups = _groups(clustering, resolved, photo_of)
    group_of = {face: number for group in groups for face, number in group.members.items()}
    people = _People(resolved, photo_of)
    unnamed: list[Person] = []
    for group in groups:
        owner, sure = _owner(group.members, resolved.said)
        if owner is not None:
            people.suggest(owner, group.by_strength(resolved.said, owner, sure=sure))
    people.keep_other_suggestions()
    for group in groups:
        left = [face for face in group.members if face not in people.name_of]
        ignored = {face for face in left if face in resolved.said and resolved.said[face].name is None}
        if 2 * len(ignored) > len(group.members):
            ignored.update(left)
        unnamed += _unnamed(group, set(left) - ignored, ignored=False) + _unnamed(group, ignored, ignored=True)
    named = [
        Person(
            id=hashlib.blake2b(person_key(name).encode(), digest_size=6).hexdigest(),
            name=name,
            face_ids=tuple(sorted(faces)),
            confirmed=frozenset(face for face in faces if face in people.confirmed),
            clusters=tuple(sorted({group_of[face] for face in faces if face in group_of})),
        )
        for name, faces in people.faces().items()
    ]
    named.sort(key=lambda person: (-len(person.face_ids), person_key(person.label)))
    unnamed.sort(key=lambda person: (person.ignored, -len(person.face_ids), person.clusters))
    return (*named, *unnamed)


@dataclass(frozen=True)
class _Group:
    """Faces that are one person: each with the number of the group it lies in, and its strength."""

    members: dict[str, int]
    strength: Mapping[str, float]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.members.values())))

    def by_strength(self, said: Mapping[str, Said], owner: str, *, sure: bool) -> list[str]:
        """Faces that may come with the owner, those that fit the group best first. Where the
        owner is not sure, what was named otherwise stays so."""

        def open_to_it(face: str) -> bool:
            word = said.get(face)
            return word is None or (word.name is not None and not word.confirmed and (sure or word.name == owner))

        return sorted(filter(open_to_it, self.members), key=lambda face: (-self.strength.get(face, 0.0), face))


class _People:
    """Who has which faces, so far."""

    def __init__(self, resolved: Resolved, photo_of: Mapping[str, str]) -> None:
        self._resolved, self._photo_of = resolved, photo_of
        self.name_of = {
            face: word.name for face, word in resolved.said.items() if word.confirmed and word.name is not None
        }
        self.confirmed = frozenset(self.name_of)
        self._taken = {(name, photo_of[face]) for face, name in self.name_of.items()}

    def suggest(self, name: str, faces: Iterable[str]) -> None:
        """These faces come to be the person's, as far as they may."""
        for face in faces:
            place = (name, self._photo_of[face])
            if place not in self._taken and name not in self._resolved.rejected.get(face, ()):
                self._taken.add(place)
                self.name_of[face] = name

    def keep_other_suggestions(self) -> None:
        """What was named along with a group, and has no owner's name now, keeps that name."""
        for face, word in sorted(self._resolved.said.items()):
            if word.name is not None and face not in self.name_of:
                self.suggest(word.name, [face])

    def faces(self) -> dict[str, list[str]]:
        faces: dict[str, list[str]] = defaultdict(list)
        for face, name in self.name_of.items():
            faces[name].append(face)
        return faces


def _groups(clustering: Clustering | None, resolved: Resolved, photo_of: Mapping[str, str]) -> list[_Group]:
    """The groups as the user wants them: without what was taken out, one where several are."""
    if clustering is None:
        return []
    rows = zip(clustering.face_ids.tolist(), clustering.labels.tolist(), clustering.strength.tolist(), strict=True)
    members: dict[int, dict[str, int]] = defaultdict(dict)
    strength: dict[str, float] = {}
    for face, number, fit in rows:
        if number >= 0 and face in photo_of:
            members[number][face] = number
            strength[face] = fit
    number_of = {face: number for number, faces in members.items() for face in faces}
    for face in _taken_out(number_of, resolved.apart):
        del members[number_of.pop(face)][face]
    united = _united(number_of, resolved.together)
    for number in sorted(members):
        into = united.get(number, number)
        if into != number:
            members[into] |= members.pop(number)
    return [_Group(faces, strength) for _, faces in sorted(members.items()) if len(faces) > 1]


def _taken_out(number_of: Mapping[str, int], apart: Iterable[tuple[FaceSet, FaceSet]]) -> set[str]:
    """Faces said to be apart from others of their group."""
    out: set[str] = set()
    for leaving, staying in apart:
        kept = {number_of[face] for face in staying - out if face in number_of}
        out |= {face for face in leaving if number_of.get(face) in kept}
    return out


def _united(number_of: Mapping[str, int], together: Sequence[FaceSet]) -> dict[int, int]:
    """Group number → the lowest number of those that are one person with it."""
    into: dict[int, int] = {}

    def root(number: int) -> int:
        while into.get(number, number) != number:
            number = into[number]
        return number

    for faces in together:
        numbers = sorted({root(number_of[face]) for face in faces if face in number_of})
        for number in numbers[1:]:
            into[number] = numbers[0]
    return {number: root(number) for number in into}


def _unnamed(group: _Group, faces: set[str], *, ignored: bool) -> list[Person]:
    if not faces:
        return []
    numbers = tuple(sorted({group.members[face] for face in faces}))
    id = f"{'ignored' if ignored else 'group'}-{group.numbers[0]}"
    return [Person(id, None, tuple(sorted(faces)), frozenset(), numbers, ignored=ignored)]


def _owner(members: Iterable[str], said: Mapping[str, Said]) -> tuple[str | None, bool]:
    """The name a group goes by, None where none of its faces has one; and whether a face of it
    was confirmed to be that."""
    words = [said[face] for face in members if face in said and said[face].name is not None]
    sure = [word for word in words if word.confirmed]
    counts = Counter(word.name for word in sure or words if word.name is not None)
    return min(counts, key=lambda name: (-counts[name], name), default=None), bool(sure)
