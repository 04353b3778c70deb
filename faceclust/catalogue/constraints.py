"""What the user said, and what photos say, as constraints on the groups.

Where two of them contradict each other the user's word goes before what was concluded from
photos, and the later word before the earlier.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceclust.cluster.constraints import Constraints, find_contradictions, same_photo_exclusions
from faceclust.cluster.duplicates import find_duplicate_faces
from faceclust.cluster.labels import groups_of, label_linked
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import ClusterParams, FaceTable, Indices

#: Of one split: a group's other faces are held together by likeness as well.
_MAX_SPLIT_PAIRS = 20_000


@dataclass(frozen=True)
class Contradiction:
    """Two wishes that cannot both be had. `names`: the people it is about; `faces`: positions of
    faces that show it; `same_photo`: these are on one photo, else they are one face seen twice."""

    names: tuple[str, ...]
    faces: tuple[int, ...]
    same_photo: bool


def describe_contradiction(contradiction: Contradiction, photos: Sequence[str]) -> str:
    """What a user reads of it; `photos`: the path of each face's photo."""
    if contradiction.same_photo:
        return f"{contradiction.names[0]} was confirmed on {len(photos)} faces of {photos[0]}; kept, as you said"
    return (
        f"a face on {photos[0]} and {photos[1]}, which look like one shot, was confirmed as "
        f"{' and as '.join(contradiction.names)}; kept, as you said"
    )


def build_constraints(
    faces: FaceTable, answers: ReplayedAnswers, params: ClusterParams
) -> tuple[Constraints, list[Contradiction]]:
    """The constraints on the groups, and what among them was contradictory.

    Confirmed faces of a person are must-linked, and so are faces said to be one person, and one
    face seen twice. Confirmed faces of two people, the faces of one photo, a face and the person
    it was said not to be, and faces said to be apart exclude each other.
    """
    position = {face: i for i, face in enumerate(faces.face_ids.tolist())} if answers.has_answers else {}
    confirmed: dict[str, list[int]] = defaultdict(list)
    for face, word in answers.labels.items():
        if word.name is not None and word.confirmed and face in position:
            confirmed[word.name].append(position[face])
    rejected = [
        np.array([position[face], confirmed[name][0]])
        for face, names in answers.rejected.items()
        for name in sorted(names)
        if face in position and name in confirmed
    ]
    persons = {name: np.array(sorted(found), dtype=np.int64) for name, found in confirmed.items()}
    photos = [] if params.allow_same_photo else same_photo_exclusions(faces.photo_ids)
    named = np.concatenate([np.empty(0, np.int64), *persons.values()])
    apart = [np.array(pair) for pair in _cannot_link_pairs(answers, position, _name_by_face(persons))]
    exclusions = [*photos, *rejected, *apart, *([named] if len(named) else [])]
    twice = [] if params.allow_same_photo else _find_same_photo_contradictions(faces, persons)
    told = [group for group in persons.values() if len(group) > 1]
    told = _add_unnamed_links(told, answers, position, len(faces))
    links, more = _add_duplicate_links(
        find_duplicate_faces(faces, params.threshold), told, exclusions, persons, len(faces)
    )
    return Constraints(links, exclusions, named), twice + more


def _name_by_face(persons: dict[str, Indices]) -> dict[int, str]:
    return {face: name for name, group in persons.items() for face in group.tolist()}


def _add_unnamed_links(
    told: list[Indices], resolved: ReplayedAnswers, position: dict[str, int], n: int
) -> list[Indices]:
    """The must-links, with those of faces said to be one person whose name nobody said."""
    groups = (sorted(position[face] for face in together if face in position) for together in resolved.merges)
    links = [np.array(group) for group in groups if len(group) > 1]
    return groups_of(label_linked(n, [*told, *links])) if links else told


def _cannot_link_pairs(
    resolved: ReplayedAnswers, position: dict[str, int], name_of: dict[int, str]
) -> list[tuple[int, int]]:
    """Pairs of faces said to be two people, save where both were confirmed to be one."""
    pairs = []
    for leaving, staying in resolved.splits:
        some = sorted(position[face] for face in leaving if face in position)
        others = sorted(position[face] for face in staying if face in position)
        others = others[: max(1, _MAX_SPLIT_PAIRS // max(1, len(some)))]
        pairs += [(a, b) for a in some for b in others if a not in name_of or name_of[a] != name_of.get(b)]
    return pairs


def _find_same_photo_contradictions(faces: FaceTable, persons: dict[str, Indices]) -> list[Contradiction]:
    found = []
    for name, group in persons.items():
        counts = Counter(faces.photo_ids[group].tolist())
        for photo in sorted(photo for photo, count in counts.items() if count > 1):
            both = group[faces.photo_ids[group] == photo]
            found.append(Contradiction((name,), tuple(both.tolist()), same_photo=True))
    return found


def _add_duplicate_links(
    pairs: list[Indices], told: list[Indices], exclusions: list[Indices], persons: dict[str, Indices], n: int
) -> tuple[list[Indices], list[Contradiction]]:
    """Must-links from what the user told and from faces seen twice; of the latter none that
    would bring together what excludes each other."""
    if not pairs:
        return told, []
    own = label_linked(n, told)
    links = label_linked(n, [*told, *pairs])
    broken = {int(links[faces[0]]) for faces in find_contradictions(links, own, exclusions)}
    name_of = _name_by_face(persons)
    found = []
    for a, b in (pair.tolist() for pair in pairs if int(links[pair[0]]) in broken):
        if a in name_of and b in name_of and name_of[a] != name_of[b]:
            found.append(Contradiction((name_of[a], name_of[b]), (a, b), same_photo=False))
    good = [pair for pair in pairs if int(links[pair[0]]) not in broken]
    return groups_of(label_linked(n, [*told, *good])), found
