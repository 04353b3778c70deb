"""Which known person a face or a group without a name most likely is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceclust.interview.questions import Candidate, InterviewState, QuestionKind, question_key
from faceclust.people.similarity import GroupDistances, match_probability
from faceclust.types import Float64, Indices, Person

#: What is less likely than this to be a known person is not asked about.
MIN_PROBABILITY = 0.08
_MAX_SINGLE_FACES = 4  # nearest single faces looked at


@dataclass(frozen=True)
class LikelyMatch:
    """A unit, and the person it most likely is."""

    candidate: Candidate
    name: str


def find_likely_people(
    group_distances: GroupDistances,
    state: InterviewState,
    candidates: Sequence[Candidate],
    named: Sequence[Person],
    skipped: frozenset[str],
    *,
    min_probability: float = MIN_PROBABILITY,
) -> dict[str, LikelyMatch]:
    """For each unit that is a known person with a chance of at least `least`, by its key, who that
    is. Groups without a name count as people of their own; who a face was said not to be, who is
    on its photo already and what was passed over (`passed`) is left out."""
    if not candidates or not named:
        return {}
    people = [person.label for person in named]
    codes, distances = _nearest_people(group_distances, state, candidates, named)
    rejected = state.answers.rejected.keys()
    rejecting = [bool(rejected) and not rejected.isdisjoint(unit.faces) for unit in candidates]
    chance = _match_probabilities(codes, distances)
    promising = np.flatnonzero((codes[:, 0] < len(people)) & (chance >= min_probability) | np.array(rejecting))
    photos = {person.label: {state.photo_of[face] for face in person.face_ids} for person in named}
    found = {}
    for i in promising.tolist():
        unit = candidates[i]
        not_names = {name for face in unit.faces for name in state.answers.rejected.get(face, ())}
        open_ones = [c >= len(people) or people[c] not in not_names for c in codes[i].tolist()]
        left, far = codes[i][open_ones], distances[i][open_ones]
        if not len(left) or left[0] >= len(people):
            continue
        name, likely = people[left[0]], float(_match_probabilities(left[None], far[None])[0])
        on_one_photo = any(state.photo_of[face] in photos[name] for face in unit.faces)
        if (
            likely >= min_probability
            and not on_one_photo
            and question_key(QuestionKind.ALSO, unit.key, name) not in skipped
        ):
            found[unit.key] = LikelyMatch(replace(unit, distance=float(far[0]), probability=likely), name)
    return found


def _nearest_people(
    likeness: GroupDistances, standing: InterviewState, units: Sequence[Candidate], named: Sequence[Person]
) -> tuple[Indices, Float64]:
    """The nearest people of each unit, by rising distance: codes (n, k), which are the position in
    `named`, or above that stand for a group without a name; and squared L2 (n, k)."""
    faces = [unit.faces for unit in units]
    groups, distances = likeness.nearest_groups(faces)
    code_of = {number: code for code, person in enumerate(named) for number in person.clusters}
    numbers, inverse = np.unique(groups, return_inverse=True)
    codes_of_numbers = [code_of.get(number, len(named) + 1 + i) for i, number in enumerate(numbers.tolist())]
    codes = np.array(codes_of_numbers, dtype=np.int64)[inverse.reshape(groups.shape)]
    single = _ungrouped_confirmed_faces(likeness, named, standing.group_of)
    if single:
        own, far = _nearest_single_faces(likeness.face_distances(faces, list(single)), list(single.values()))
        codes, distances = np.concatenate([codes, own], axis=1), np.concatenate([distances, far], axis=1)
        order = distances.argsort(axis=1, kind="stable")
        codes, distances = np.take_along_axis(codes, order, 1), np.take_along_axis(distances, order, 1)
    return codes, distances


def _ungrouped_confirmed_faces(
    likeness: GroupDistances, named: Iterable[Person], group_of: Mapping[str, int]
) -> dict[str, int]:
    """Confirmed faces in no group, or in one made since, → the position of their person."""
    return {
        face: code
        for code, person in enumerate(named)
        for face in person.confirmed
        if group_of.get(face) not in likeness.groups
    }


def _nearest_single_faces(distances: Float64, codes: Sequence[int]) -> tuple[Indices, Float64]:
    count = min(_MAX_SINGLE_FACES, distances.shape[1])
    best = np.argpartition(distances, count - 1, axis=1)[:, :count]
    return np.array(codes, dtype=np.int64)[best], np.take_along_axis(distances, best, 1)


def _match_probabilities(codes: Indices, distances: Float64) -> Float64:
    """(n,): of the first of each line, against the first that is another's."""
    other = codes != codes[:, :1]
    second = np.where(other, distances, np.inf).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ where there is nobody at all
        margin = np.nan_to_num(second - distances[:, 0], nan=0.0, posinf=np.inf)
    return np.where(np.isfinite(distances[:, 0]), match_probability(distances[:, 0], margin), 0.0)
