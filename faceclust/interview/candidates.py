"""Find the named person that an unnamed face or group most probably is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceclust.interview.questions import Candidate, InterviewState, QuestionKind, question_key
from faceclust.people.similarity import GroupDistances, match_probability
from faceclust.types import Float64, Indices, Person

#: Candidates less probable than this are not asked about.
MIN_PROBABILITY = 0.08
_MAX_SINGLE_FACES = 4  # nearest ungrouped faces considered per candidate


@dataclass(frozen=True)
class LikelyMatch:
    """A candidate and the person it most probably is."""

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
    """Return candidate key → match, for the candidates with a match of at least `min_probability`.

    Groups without a name compete as persons of their own. Left out are persons rejected for a face
    of the candidate, persons on the same photo, persons born after all its photos were taken, and
    skipped questions. The match is without the faces that are dated before the person's birth.
    """
    if not candidates or not named:
        return {}
    people = [person.label for person in named]
    codes, distances = _nearest_people(group_distances, state, candidates, named)
    rejected = state.answers.rejected
    has_rejected = [bool(rejected) and not rejected.keys().isdisjoint(candidate.faces) for candidate in candidates]
    unborn = _find_unborn(state, candidates, named, codes)
    is_probable = (codes[:, 0] < len(people)) & (_match_probabilities(codes, distances) >= min_probability)
    photos: dict[str, set[str]] = {}  # of the people that are matched
    found = {}
    for i in np.flatnonzero(is_probable | np.array(has_rejected) | unborn.any(axis=1)).tolist():
        candidate = candidates[i]
        excluded = {name for face in candidate.faces for name in rejected.get(face, ())}
        is_rejected = [code < len(people) and people[code] in excluded for code in codes[i].tolist()]
        allowed = ~(unborn[i] | is_rejected)
        left, left_distances = codes[i][allowed], distances[i][allowed]
        if not len(left) or left[0] >= len(people):
            continue
        name = people[left[0]]
        if early := set(state.evidence.find_before_birth(name, candidate.faces)):
            candidate = replace(candidate, faces=tuple(face for face in candidate.faces if face not in early))
        probability = float(_match_probabilities(left[None], left_distances[None])[0])
        if name not in photos:
            photos[name] = set(map(state.photo_of.__getitem__, named[left[0]].face_ids))
        shares_photo = any(state.photo_of[face] in photos[name] for face in candidate.faces)
        is_skipped = question_key(QuestionKind.ALSO, candidate.key, name) in skipped
        if probability >= min_probability and not shares_photo and not is_skipped:
            match = replace(candidate, distance=float(left_distances[0]), probability=probability)
            found[candidates[i].key] = LikelyMatch(match, name)
    return found


def find_nearest_people(
    group_distances: GroupDistances, state: InterviewState, faces: tuple[str, ...], limit: int
) -> list[tuple[Person, float]]:
    """Return at most `limit` named persons that these faces may be, with their squared L2, the nearest first.

    Left out are persons rejected for one of the faces, persons on the same photo, and persons born after all the
    photos were taken.
    """
    named = [person for person in state.persons if person.name is not None]
    faces = tuple(face for face in faces if group_distances.can_compare(face))
    if not named or not faces:
        return []
    to_group = group_distances.group_distances(faces)
    distance = [min((to_group.get(number, np.inf) for number in person.clusters), default=np.inf) for person in named]
    single = _ungrouped_confirmed_faces(group_distances, named, state.group_of)
    if single:
        lines = group_distances.face_distances([faces], list(single))[0].tolist()
        for code, value in zip(single.values(), lines, strict=True):
            distance[code] = min(distance[code], value)
    rejected = {name for face in faces for name in state.answers.rejected.get(face, ())}
    photos = {state.photo_of[face] for face in faces}
    found: list[tuple[Person, float]] = []
    for code in np.argsort(distance, kind="stable").tolist():
        person = named[code]
        if len(found) == limit or not np.isfinite(distance[code]):
            break
        if (
            person.label not in rejected
            and not state.evidence.are_all_before_birth(person.label, faces)
            and photos.isdisjoint(state.photo_of[face] for face in person.face_ids)
        ):
            found.append((person, distance[code]))
    return found


def _find_unborn(
    state: InterviewState, candidates: Sequence[Candidate], named: Sequence[Person], codes: Indices
) -> NDArray[np.bool_]:
    """Return which of the near people (n, k) of each candidate were born after all its photos were taken."""
    births = [state.evidence.birth_of(person.label) for person in named] if state.evidence else []
    if not any(births):
        return np.zeros(codes.shape, np.bool_)
    born = np.array([-np.inf if day is None else day.first.toordinal() for day in births])
    latest = np.array([state.evidence.latest_ordinal_of(candidate.faces) for candidate in candidates])
    is_named = codes < len(named)
    return np.asarray(is_named & (latest[:, None] < born[np.where(is_named, codes, 0)]))


def _nearest_people(
    group_distances: GroupDistances, state: InterviewState, candidates: Sequence[Candidate], named: Sequence[Person]
) -> tuple[Indices, Float64]:
    """The nearest people of each candidate, in ascending order of distance: codes (n, k), squared L2 (n, k).

    A code is a position in `named`; higher codes stand for groups without a name.
    """
    faces = [candidate.faces for candidate in candidates]
    groups, distances = group_distances.nearest_groups(faces)
    code_of = {number: code for code, person in enumerate(named) for number in person.clusters}
    numbers, inverse = np.unique(groups, return_inverse=True)
    number_codes = [code_of.get(number, len(named) + 1 + i) for i, number in enumerate(numbers.tolist())]
    codes = np.array(number_codes, dtype=np.int64)[inverse.reshape(groups.shape)]
    single = _ungrouped_confirmed_faces(group_distances, named, state.group_of)
    if single:
        single_codes, single_distances = _nearest_single_faces(
            group_distances.face_distances(faces, list(single)), list(single.values())
        )
        codes = np.concatenate([codes, single_codes], axis=1)
        distances = np.concatenate([distances, single_distances], axis=1)
        order = distances.argsort(axis=1, kind="stable")
        codes, distances = np.take_along_axis(codes, order, 1), np.take_along_axis(distances, order, 1)
    return codes, distances


def _ungrouped_confirmed_faces(
    group_distances: GroupDistances, named: Iterable[Person], group_of: Mapping[str, int]
) -> dict[str, int]:
    """Confirmed face → code of its person, for faces in no group or in one split off since."""
    return {
        face: code
        for code, person in enumerate(named)
        for face, number in zip(person.confirmed, map(group_of.get, person.confirmed), strict=True)
        if number not in group_distances.groups and group_distances.can_compare(face)
    }


def _nearest_single_faces(distances: Float64, codes: Sequence[int]) -> tuple[Indices, Float64]:
    count = min(_MAX_SINGLE_FACES, distances.shape[1])
    best = np.argpartition(distances, count - 1, axis=1)[:, :count]
    return np.array(codes, dtype=np.int64)[best], np.take_along_axis(distances, best, 1)


def _match_probabilities(codes: Indices, distances: Float64) -> Float64:
    """The probability (n,) of the first person of each row, by the margin to the next other person."""
    is_other = codes != codes[:, :1]
    second = np.where(is_other, distances, np.inf).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ if a row has no person at all
        margin = np.nan_to_num(second - distances[:, 0], nan=0.0, posinf=np.inf)
    return np.where(np.isfinite(distances[:, 0]), match_probability(distances[:, 0], margin), 0.0)
