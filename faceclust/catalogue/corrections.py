"""Correct the groups by the user's answers until the next clustering.

A face declared not to belong takes the faces with it that are more similar to it than to the rest.
This follows the rules of a full clustering, but covers the affected groups only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from faceclust.catalogue.constraints import build_constraints
from faceclust.cluster.group import cluster_average
from faceclust.people.groups import Groups
from faceclust.people.persons import merged_group_numbers
from faceclust.people.replay import FaceSet, Label, ReplayedAnswers
from faceclust.progress import SilentProgress
from faceclust.types import ClusterParams, FaceTable, Float64

#: In larger groups only the faces declared to be somebody else leave: clustering them takes too long.
_MAX_REGROUPED_FACES = 3000

GroupParts = list[list[str]]
FaceLoader = Callable[[Sequence[str]], FaceTable]
OffsetLoader = Callable[[FaceTable], Float64]


@dataclass(frozen=True)
class _GroupAnswers:
    """Everything that the parts of one group depend on. Hashable."""

    members: tuple[str, ...]
    leaving: FaceSet
    labels: tuple[tuple[str, Label], ...]
    rejected: tuple[tuple[str, FaceSet], ...]
    merges: tuple[FaceSet, ...]
    splits: tuple[tuple[FaceSet, FaceSet], ...]

    @classmethod
    def of(cls, members: tuple[str, ...], leaving: set[str], answers: ReplayedAnswers) -> _GroupAnswers:
        inside = frozenset(members)
        return cls(
            members,
            frozenset(leaving),
            tuple((face, answers.labels[face]) for face in members if face in answers.labels),
            tuple((face, answers.rejected[face]) for face in members if face in answers.rejected),
            tuple(faces & inside for faces in answers.merges if not inside.isdisjoint(faces)),
            tuple(
                (removed & inside, kept & inside)
                for removed, kept in answers.splits
                if not (inside.isdisjoint(removed) or inside.isdisjoint(kept))
            ),
        )

    @property
    def answers(self) -> ReplayedAnswers:
        return ReplayedAnswers(dict(self.labels), rejected=dict(self.rejected), merges=self.merges, splits=self.splits)


@dataclass
class PartsCache:
    """The parts of the groups split so far, and the groups of the last call with their parts."""

    parts: dict[_GroupAnswers, GroupParts] = field(default_factory=dict)
    last: tuple[dict[int, GroupParts], Groups] | None = None


def apply_corrections(
    groups: Groups, answers: ReplayedAnswers, faces_of: FaceLoader, offsets_of: OffsetLoader, cache: PartsCache
) -> Groups:
    """Split the groups that hold faces declared to be different people.

    The rest of a group keeps its number: of several confirmed people, the one with the most faces
    keeps it. `faces_of` loads faces by their ids, and `offsets_of` what local scaling adds to their
    distances. `cache` keeps results from call to call, of the same groups: if the parts are those of the
    last call, its result is returned.
    """
    parts: dict[int, GroupParts] = {}
    for number, leaving in _find_leaving_faces(groups.number_of, answers).items():
        key = _GroupAnswers.of(groups.members[number], leaving, answers)
        if key not in cache.parts:
            cache.parts[key] = _split_group(key, groups.params, faces_of, offsets_of)
        parts[number] = cache.parts[key]
    if cache.last is None or cache.last[0] != parts:
        cache.last = parts, groups.split_groups(parts)
    return cache.last[1]


# -- faces that leave ---------------------------------------------------------


def _find_leaving_faces(number_of: Mapping[str, int], answers: ReplayedAnswers) -> dict[int, set[str]]:
    """Group number → its faces declared not to belong, for the groups that have such faces."""
    merged = merged_group_numbers(number_of, answers.merges)

    def group_of(face: str) -> int | None:
        """The face's group, one number for groups declared to be one person."""
        number = number_of.get(face)
        return None if number is None else merged.get(number, number)

    confirmed: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for face, label in answers.labels.items():
        if label.confirmed and label.name is not None and face in number_of:
            confirmed[number_of[face]][label.name].append(face)
    leaving: dict[int, set[str]] = defaultdict(set)
    for faces in (
        _split_off_faces(group_of, answers),
        _outvoted_faces(confirmed),
        _rejected_faces(group_of, answers, confirmed, merged),
    ):
        for face in faces:
            leaving[number_of[face]].add(face)
    return leaving


def _split_off_faces(group_of: Callable[[str], int | None], answers: ReplayedAnswers) -> Iterator[str]:
    """Faces split off from others in their group, unless a later answer confirmed both as one person."""
    for removed, kept in answers.splits:
        groups = {group_of(face) for face in kept} - {None}
        labels = (answers.labels.get(face) for face in kept)
        names = {label.name for label in labels if label and label.confirmed and label.name}
        for face in removed:
            label = answers.labels.get(face)
            is_same_person = label is not None and label.confirmed and label.name in names
            if group_of(face) in groups and not is_same_person:
                yield face


def _outvoted_faces(confirmed: Mapping[int, Mapping[str, list[str]]]) -> Iterator[str]:
    """Faces confirmed as another person than the one most of their group are confirmed as."""
    for by_name in confirmed.values():
        for name in sorted(by_name, key=lambda name: (-len(by_name[name]), name))[1:]:
            yield from by_name[name]


def _rejected_faces(
    group_of: Callable[[str], int | None],
    answers: ReplayedAnswers,
    confirmed: Mapping[int, Mapping[str, list[str]]],
    merged: Mapping[int, int],
) -> Iterator[str]:
    """Faces that are not the person that others of their group are confirmed as."""
    names: dict[int | None, set[str]] = defaultdict(set)
    for number, by_name in confirmed.items():
        names[merged.get(number, number)].update(by_name)
    for face, rejected in answers.rejected.items():
        if not rejected.isdisjoint(names.get(group_of(face), ())):
            yield face


# -- parts --------------------------------------------------------------------


def _split_group(
    group: _GroupAnswers, params: ClusterParams, faces_of: FaceLoader, offsets_of: OffsetLoader
) -> GroupParts:
    """The parts of a group, the one that stays first."""
    alone = [[face for face in group.members if face not in group.leaving], *([face] for face in sorted(group.leaving))]
    if len(group.members) > _MAX_REGROUPED_FACES:
        return alone
    faces = faces_of(group.members)
    params = replace(params, algorithm="average")
    constraints, _ = build_constraints(faces, group.answers, params)
    clusters = cluster_average(faces.embeddings, params, constraints, SilentProgress(), offsets_of(faces))
    parts: dict[int, list[str]] = defaultdict(list)
    for face, cluster in zip(faces.face_ids.tolist(), clusters.tolist(), strict=True):
        parts[cluster].append(face)
    leaving = [part for part in parts.values() if group.leaving.intersection(part)]
    gone = {face for part in leaving for face in part}
    if len(gone) < len(group.members):
        return [[face for face in group.members if face not in gone], *leaving]
    if len(leaving) == 1:  # the distances do not tell who resembles the leaving faces
        return alone
    return sorted(leaving, key=lambda part: (-len(part), part))
