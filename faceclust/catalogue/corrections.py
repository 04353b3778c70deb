"""Groups as the user's words leave them, until all is grouped again.

A face said not to belong takes with it what is more like it than like the rest: at once, by the
same rules as a grouping of everything, but over the groups concerned alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from faceclust.catalogue.constraints import build_constraints
from faceclust.cluster.group import ALGORITHMS
from faceclust.people.groups import Groups
from faceclust.people.persons import merged_group_numbers
from faceclust.people.replay import FaceSet, Label, ReplayedAnswers
from faceclust.progress import SilentProgress
from faceclust.types import ClusterParams, FaceTable

#: In larger groups only the faces said to be somebody else leave: grouping them takes too long.
_MAX_REGROUPED_FACES = 3000

GroupParts = list[list[str]]
#: What a group's parts depend on → the parts.
PartsCache = dict[tuple[object, ...], GroupParts]


def apply_corrections(
    groups: Groups, answers: ReplayedAnswers, faces_of: Callable[[Sequence[str]], FaceTable], cache: PartsCache
) -> Groups:
    """The groups, those taken apart that hold faces said to be different people.

    What stays of a group keeps its number: of confirmed people the one with most faces does.
    `faces_of` gives the faces with these ids; `memory` keeps outcomes from call to call.
    """
    parts: dict[int, GroupParts] = {}
    for number, leaving in _find_contradicted_groups(groups.number_of, answers).items():
        members = groups.members[number]
        said = _answers_about(members, answers)
        depends = (members, frozenset(leaving), *said)
        if depends not in cache:
            cache[depends] = _split_group(
                members, ReplayedAnswers(dict(said[0]), 0, dict(said[1]), *said[2:]), leaving, groups.params, faces_of
            )
        parts[number] = cache[depends]
    return groups.split_groups(parts)


def _find_contradicted_groups(number_of: Mapping[str, int], resolved: ReplayedAnswers) -> dict[int, set[str]]:
    """The groups that hold faces of different people, and which faces are said to leave."""
    torn: dict[int, set[str]] = defaultdict(set)
    united = merged_group_numbers(number_of, resolved.merges)
    for leaving, staying in resolved.splits:
        here = {united.get(number_of[face], number_of[face]) for face in staying if face in number_of}
        sure = {word.name for face in staying if (word := resolved.labels.get(face)) and word.confirmed and word.name}
        for face in leaving:
            word = resolved.labels.get(face)
            same = word is not None and word.confirmed and word.name in sure  # a later word
            if face in number_of and united.get(number_of[face], number_of[face]) in here and not same:
                torn[number_of[face]].add(face)
    names: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for face, word in resolved.labels.items():
        if word.confirmed and word.name is not None and face in number_of:
            names[number_of[face]][word.name].append(face)
    for number, found in names.items():
        for name in sorted(found, key=lambda name: (-len(found[name]), name))[1:]:
            torn[number].update(found[name])
    linked: dict[int, set[str]] = defaultdict(set)
    for number, found in names.items():
        linked[united.get(number, number)].update(found)
    for face, rejected in resolved.rejected.items():
        number = number_of.get(face, -1)
        if number >= 0 and not rejected.isdisjoint(linked.get(united.get(number, number), ())):
            torn[number].add(face)
    return torn


def _answers_about(
    members: Sequence[str], resolved: ReplayedAnswers
) -> tuple[
    tuple[tuple[str, Label], ...],
    tuple[tuple[str, FaceSet], ...],
    tuple[FaceSet, ...],
    tuple[tuple[FaceSet, FaceSet], ...],
]:
    """What was said of these faces: names, rejections, which are together and which apart."""
    here = frozenset(members)
    return (
        tuple((face, resolved.labels[face]) for face in members if face in resolved.labels),
        tuple((face, resolved.rejected[face]) for face in members if face in resolved.rejected),
        tuple(faces & here for faces in resolved.merges if not here.isdisjoint(faces)),
        tuple((a & here, b & here) for a, b in resolved.splits if not (here.isdisjoint(a) or here.isdisjoint(b))),
    )


def _split_group(
    members: Sequence[str],
    resolved: ReplayedAnswers,
    leaving: set[str],
    params: ClusterParams,
    faces_of: Callable[[Sequence[str]], FaceTable],
) -> GroupParts:
    """The group's parts, first what stays."""
    if len(members) > _MAX_REGROUPED_FACES:
        return [[face for face in members if face not in leaving], *([face] for face in sorted(leaving))]
    faces = faces_of(members)
    params = replace(params, algorithm="average")
    constraints, _ = build_constraints(faces, resolved, params)
    clusters = ALGORITHMS["average"](faces.embeddings, params, constraints, SilentProgress())
    parts: dict[int, list[str]] = defaultdict(list)
    for face, cluster in zip(faces.face_ids.tolist(), clusters.tolist(), strict=True):
        parts[cluster].append(face)
    going = [part for part in parts.values() if leaving.intersection(part)]
    gone = {face for part in going for face in part}
    if len(going) == 1 and len(gone) == len(members):  # nothing says who is like the ones that leave
        return [[face for face in members if face not in leaving], *([face] for face in sorted(leaving))]
    if len(gone) == len(members):
        return sorted(going, key=lambda part: (-len(part), part))
    return [[face for face in members if face not in gone], *going]
