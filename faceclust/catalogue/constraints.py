"""Constraints on the groups: must-links and cannot-links from the user's answers and from the photos.

If two of them contradict each other, the user's answers take precedence over the photos, and later
answers over earlier ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceclust.cluster.constraints import Constraints, find_contradictions, same_photo_exclusions
from faceclust.cluster.duplicates import find_duplicate_faces
from faceclust.cluster.face_sets import FaceSets
from faceclust.cluster.labels import groups_of, label_linked
from faceclust.cluster.numbering import find_sorted
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import ClusterParams, FaceTable, Indices

#: Pairs per split. More are not needed: similarity keeps the remaining faces of each side together.
_MAX_SPLIT_PAIRS = 20_000


@dataclass(frozen=True)
class Contradiction:
    """An answer that contradicts the photos.

    `names`: the people concerned. `faces`: positions of the contradicting faces. `same_photo`: the
    faces are on one photo; otherwise they are duplicates of one face.
    """

    names: tuple[str, ...]
    faces: tuple[int, ...]
    same_photo: bool


def describe_contradiction(contradiction: Contradiction, photos: Sequence[str]) -> str:
    """Describe a contradiction to a user. `photos`: the path of each face's photo."""
    if contradiction.same_photo:
        return f"{contradiction.names[0]} is confirmed for {len(photos)} faces of {photos[0]}; kept as confirmed"
    return (
        f"a face on {photos[0]} and {photos[1]}, which look like one shot, is confirmed as "
        f"{' and as '.join(contradiction.names)}; kept as confirmed"
    )


def build_constraints(
    faces: FaceTable, answers: ReplayedAnswers, params: ClusterParams
) -> tuple[Constraints, list[Contradiction]]:
    """Return the constraints on the groups, and the contradictions among them.

    Must-linked: the confirmed faces of a person, faces declared one person, and duplicates of one
    face. Cannot-linked: the confirmed faces of two people, the faces of one photo, a face and a
    person it was declared not to be, and faces declared different people.
    """
    position = _positions_of_answered(answers, faces)
    persons = _confirmed_positions(answers, position)
    rejected = [
        (position[face], int(persons[name][0]))
        for face, names in answers.rejected.items()
        for name in sorted(names)
        if face in position and name in persons
    ]
    photos = () if params.allow_same_photo else same_photo_exclusions(faces.photo_ids)
    named = np.concatenate([np.empty(0, np.int64), *persons.values()])
    pairs = [*rejected, *_cannot_link_pairs(answers, position, _name_by_face(persons))]
    separated = FaceSets.of_pairs(np.array(pairs, np.int64).reshape(-1, 2))
    exclusions = FaceSets.join(photos, separated, [named] if len(named) else [])
    same_photo = [] if params.allow_same_photo else _find_same_photo_contradictions(faces, persons)
    answered: Sequence[Indices] = [group for group in persons.values() if len(group) > 1]
    answered = _add_unnamed_links(answered, answers, position, len(faces))
    duplicates = find_duplicate_faces(faces, params.threshold)
    links, contradictions = _add_duplicate_links(duplicates, answered, exclusions, persons, len(faces))
    return Constraints(links, exclusions, named), same_photo + contradictions


def _positions_of_answered(answers: ReplayedAnswers, faces: FaceTable) -> dict[str, int]:
    """Face id → position, for the faces that an answer is about: a library may have many more."""
    merged = (face for group in answers.merges for face in group)
    separated = (face for split in answers.splits for side in split for face in side)
    answered = list({*answers.labels, *answers.rejected, *merged, *separated})
    place = find_sorted(faces.face_ids, np.array(answered, np.str_))
    return {face: position for face, position in zip(answered, place.tolist(), strict=True) if position >= 0}


def _confirmed_positions(answers: ReplayedAnswers, position: dict[str, int]) -> dict[str, Indices]:
    """Name → sorted positions of the faces confirmed as that person."""
    confirmed: dict[str, list[int]] = defaultdict(list)
    for face, label in answers.labels.items():
        if label.name is not None and label.confirmed and face in position:
            confirmed[label.name].append(position[face])
    return {name: np.array(sorted(found), dtype=np.int64) for name, found in confirmed.items()}


def _name_by_face(persons: dict[str, Indices]) -> dict[int, str]:
    return {face: name for name, group in persons.items() for face in group.tolist()}


def _add_unnamed_links(
    links: Sequence[Indices], answers: ReplayedAnswers, position: dict[str, int], n: int
) -> Sequence[Indices]:
    """Add the links between faces declared one person without a name."""
    groups = (sorted(position[face] for face in merged if face in position) for merged in answers.merges)
    unnamed = [np.array(group) for group in groups if len(group) > 1]
    return groups_of(label_linked(n, links, unnamed)) if unnamed else links


def _cannot_link_pairs(
    answers: ReplayedAnswers, position: dict[str, int], name_of: dict[int, str]
) -> list[tuple[int, int]]:
    """Pairs of faces declared different people, unless both are confirmed as one person."""
    pairs = []
    for removed, kept in answers.splits:
        faces = sorted(position[face] for face in removed if face in position)
        others = sorted(position[face] for face in kept if face in position)
        others = others[: max(1, _MAX_SPLIT_PAIRS // max(1, len(faces)))]
        pairs += [(a, b) for a in faces for b in others if a not in name_of or name_of[a] != name_of.get(b)]
    return pairs


def _find_same_photo_contradictions(faces: FaceTable, persons: dict[str, Indices]) -> list[Contradiction]:
    found = []
    for name, group in persons.items():
        counts = Counter(faces.photo_ids[group].tolist())
        for photo in sorted(photo for photo, count in counts.items() if count > 1):
            on_photo = group[faces.photo_ids[group] == photo]
            found.append(Contradiction((name,), tuple(on_photo.tolist()), same_photo=True))
    return found


def _add_duplicate_links(
    duplicates: Indices, links: Sequence[Indices], exclusions: FaceSets, persons: dict[str, Indices], n: int
) -> tuple[Sequence[Indices], list[Contradiction]]:
    """Add links between duplicates (k, 2) to the links from answers, except where they break an exclusion."""
    if not len(duplicates):
        return links, []
    answered = label_linked(n, links)
    linked = label_linked(n, links, FaceSets.of_pairs(duplicates))
    contradictions = find_contradictions(linked, answered, exclusions)
    broken = np.isin(linked[duplicates[:, 0]], linked[contradictions.members])
    name_of = _name_by_face(persons)
    found = []
    for a, b in duplicates[broken].tolist():
        if a in name_of and b in name_of and name_of[a] != name_of[b]:
            found.append(Contradiction((name_of[a], name_of[b]), (a, b), same_photo=False))
    consistent = FaceSets.of_pairs(duplicates[~broken])
    return groups_of(label_linked(n, links, consistent)), found
