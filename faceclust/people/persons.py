"""Persons: the named ones first, then the groups nobody has named."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faceclust.people.groups import Groups
from faceclust.people.names import person_key
from faceclust.people.replay import FaceSet, Label, ReplayedAnswers
from faceclust.types import Person


def build_persons(groups: Groups | None, resolved: ReplayedAnswers, photo_of: Mapping[str, str]) -> tuple[Person, ...]:
    """Join the groups with what the user said of their faces.

    A confirmed face has its name, in whatever group it lies. A group belongs to whom most of
    its confirmed faces belong to (then: of its named faces); its other faces come with it as
    that person's, suggested, and so does what came with another name before. A named face in a
    group that is nobody's keeps its name. Nobody is suggested on a photo where they are
    already, nor for a face said not to be theirs. A group most of whose faces are ignored is
    ignored; else its other faces are asked about.

    Groups said to be one person are one. The faces of one photo are told by `photo_of`, its
    content hash. Named persons come first, then unnamed groups, then ignored ones, each by
    falling number of faces.
    """
    number_of = groups.number_of if groups else {}
    untouched, touched = _separate_labelled_groups(groups, resolved)
    people = _NameAssignment(resolved, photo_of)
    for group in touched:
        owner, sure = _find_owner(group.faces, resolved.labels)
        if owner is not None:
            people.suggest(owner, group.faces_for_owner(resolved.labels, owner, sure=sure))
    people.keep_remaining_suggestions()
    unnamed = [Person(f"group-{number}", None, faces, frozenset(), (number,)) for number, faces in untouched]
    for group in touched:
        left = [face for face in group.faces if face not in people.name_of]
        ignored = {face for face in left if face in resolved.labels and resolved.labels[face].name is None}
        if 2 * len(ignored) > len(group.faces):
            ignored.update(left)
        unnamed += _build_unnamed(set(left) - ignored, number_of, ignored=False)
        unnamed += _build_unnamed(ignored, number_of, ignored=True)
    named = [
        Person(
            id=hashlib.blake2b(person_key(name).encode(), digest_size=6).hexdigest(),
            name=name,
            face_ids=tuple(sorted(faces)),
            confirmed=frozenset(face for face in faces if face in people.confirmed),
            clusters=tuple(sorted({number_of[face] for face in faces if face in number_of})),
        )
        for name, faces in people.faces_by_name().items()
    ]
    named.sort(key=lambda person: (-len(person.face_ids), person_key(person.label)))
    unnamed.sort(key=lambda person: (person.ignored, -len(person.face_ids), person.clusters))
    return (*named, *unnamed)


@dataclass(frozen=True)
class _LabelledGroup:
    """The faces of a group, or of several that are one person."""

    faces: tuple[str, ...]
    strength: Mapping[str, float]

    def faces_for_owner(self, said: Mapping[str, Label], owner: str, *, sure: bool) -> list[str]:
        """Faces that may come with the owner, those that fit the group best first. Where the
        owner is not sure, what was named otherwise stays so."""

        def open_to_it(face: str) -> bool:
            word = said.get(face)
            return word is None or (word.name is not None and not word.confirmed and (sure or word.name == owner))

        return sorted(filter(open_to_it, self.faces), key=lambda face: (-self.strength.get(face, 0.0), face))


class _NameAssignment:
    """Who has which faces, so far."""

    def __init__(self, resolved: ReplayedAnswers, photo_of: Mapping[str, str]) -> None:
        self._resolved, self._photo_of = resolved, photo_of
        self.name_of = {
            face: word.name for face, word in resolved.labels.items() if word.confirmed and word.name is not None
        }
        self.confirmed = frozenset(self.name_of)
        self._names_on_photos = {(name, photo_of[face]) for face, name in self.name_of.items()}

    def suggest(self, name: str, faces: Iterable[str]) -> None:
        """These faces come to be the person's, as far as they may."""
        for face in faces:
            place = (name, self._photo_of[face])
            if place not in self._names_on_photos and name not in self._resolved.rejected.get(face, ()):
                self._names_on_photos.add(place)
                self.name_of[face] = name

    def keep_remaining_suggestions(self) -> None:
        """What was named along with a group, and has no owner's name now, keeps that name."""
        for face, word in sorted(self._resolved.labels.items()):
            if word.name is not None and face not in self.name_of:
                self.suggest(word.name, [face])

    def faces_by_name(self) -> dict[str, list[str]]:
        faces: dict[str, list[str]] = defaultdict(list)
        for face, name in self.name_of.items():
            faces[name].append(face)
        return faces


def _separate_labelled_groups(
    groups: Groups | None, resolved: ReplayedAnswers
) -> tuple[list[tuple[int, tuple[str, ...]]], list[_LabelledGroup]]:
    """The groups nothing was said of, with their numbers; and the others, one where several are."""
    if groups is None:
        return [], []
    united = merged_group_numbers(groups.number_of, resolved.merges)
    merged: dict[int, list[int]] = defaultdict(list)
    for number, into in sorted(united.items()):
        merged[into].append(number)
    touched = {groups.number_of[face] for face in resolved.labels if face in groups.number_of}
    joined = [
        _LabelledGroup(tuple(face for number in numbers for face in groups.members[number]), groups.strength)
        for numbers in ([number] for number in sorted(touched - united.keys()))
    ]
    joined += [
        _LabelledGroup(tuple(face for number in numbers for face in groups.members[number]), groups.strength)
        for _, numbers in sorted(merged.items())
    ]
    alone = [(number, faces) for number, faces in groups.members.items() if number not in touched | united.keys()]
    return alone, joined


def merged_group_numbers(number_of: Mapping[str, int], merges: Sequence[FaceSet]) -> dict[int, int]:
    """Group number → the lowest number of those that are one person with it, for those that are one
    with another."""
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


def _find_owner(members: Iterable[str], said: Mapping[str, Label]) -> tuple[str | None, bool]:
    """The name a group goes by, None where none of its faces has one; and whether a face of it
    was confirmed to be that."""
    words = [said[face] for face in members if face in said and said[face].name is not None]
    sure = [word for word in words if word.confirmed]
    counts = Counter(word.name for word in sure or words if word.name is not None)
    return min(counts, key=lambda name: (-counts[name], name), default=None), bool(sure)
