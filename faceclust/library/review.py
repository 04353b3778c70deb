"""What in a grouping is worth a look, found by the distances between faces.

The distance shown is the mean squared L2 over all pairs of faces, as in the grouping: with μ
the mean of a group's faces and r² the square of their norm, 2r² − 2⟨μA, μB⟩. How sure it makes us is
told by the fitted chances of `people.similarity`, which take half of each side's scatter off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.outputs.report.values import MergeCandidate, Outlier, ReviewFindings, SplitCandidate
from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers
from faceclust.people.similarity import match_probability, outlier_probability
from faceclust.types import OPERATING_POINT, FaceTable, Float32, Float64, Indices, Person

_BLOCK_SIZE = 2048  # faces compared with all groups at a time
_MIN_OUTLIER_DISTANCE = 0.6  # a face this near to the others of its group belongs there
_MAX_MERGE_DISTANCE = 1.7  # pairs of groups farther apart than this are not looked at
_NEIGHBOURS_KEPT = 4  # nearest others of each group
_MIN_PROBABILITY = 0.5  # chance from which something is listed
_MIN_SPLIT_RATIO = 1.35  # of the threshold: parts of one person farther apart than this are listed


def review_grouping(
    faces: FaceTable,
    persons: Sequence[Person],
    group_of: Mapping[str, int],
    answers: ReplayedAnswers,
    threshold: float = OPERATING_POINT,
    limit: int = 30,
) -> ReviewFindings:
    """Faces far from their group, persons or groups that may be one, and parts of one person that
    are far apart: `at_most` of each, the most doubtful first. What the user confirmed or denied is
    not doubted. Memory grows with the number of faces, and of groups, not with its square."""
    persons = [person for person in persons if not person.ignored]
    position = {face: i for i, face in enumerate(faces.face_ids.tolist())}
    owners = [np.array([position[f] for f in person.face_ids if f in position], np.int64) for person in persons]
    kept = [i for i, found in enumerate(owners) if len(found)]
    persons, owners = [persons[i] for i in kept], [owners[i] for i in kept]
    if not persons:
        return ReviewFindings()
    centres = _Centroids.of(faces.embeddings, owners)
    return ReviewFindings(
        outliers=_find_outliers(faces, persons, owners, centres, group_of, limit),
        merge_candidates=_find_merge_candidates(faces, persons, owners, centres, answers, limit),
        split_candidates=_find_split_persons(faces, persons, owners, group_of, threshold, limit),
    )


@dataclass(frozen=True)
class _Centroids:
    """Means (k, d) of sets of faces, their scatter (k,) (mean squared distance from the mean), and the
    mean square of all faces' norms."""

    means: Float32
    scatter: Float64
    mean_square_norm: float

    @classmethod
    def of(cls, embeddings: Float32, sets: Sequence[Indices]) -> _Centroids:
        square = float(np.einsum("ij,ij->", embeddings, embeddings, dtype=np.float64)) / len(embeddings)
        means = np.stack([embeddings[some].mean(axis=0, dtype=np.float64) for some in sets])
        scatter = np.maximum(square - np.einsum("ij,ij->i", means, means), 0)
        return cls(means.astype(np.float32), scatter, square)

    def distances(self, means: Float32, scatter: Float64 | float) -> Float64:
        """(rows, k), half of each side's scatter taken off."""
        plain = 2 * self.mean_square_norm - 2 * (means @ self.means.T).astype(np.float64)
        return np.asarray(plain - (np.reshape(scatter, (-1, 1)) + self.scatter) / 2)


def _find_outliers(
    faces: FaceTable,
    persons: Sequence[Person],
    owners: Sequence[Indices],
    centres: _Centroids,
    group_of: Mapping[str, int],
    at_most: int,
) -> tuple[Outlier, ...]:
    """Unconfirmed faces that most likely do not belong to their group, of three faces or more."""
    owner = np.full(len(faces), -1)
    for number, mine in enumerate(owners):
        owner[mine] = number
    groups: dict[int, list[int]] = defaultdict(list)
    for face, place in zip(faces.face_ids.tolist(), range(len(faces)), strict=True):
        if owner[place] >= 0 and face in group_of:
            groups[group_of[face]].append(place)
    plain, own = np.zeros(len(faces)), np.zeros(len(faces))
    for members in groups.values():
        if len(members) > 2:
            found = np.array(members, np.int64)
            plain[found], own[found] = _leave_one_out_distances(
                faces.embeddings[found].astype(np.float64), centres.mean_square_norm
            )
    sure = {face for person in persons for face in person.confirmed}
    loose = np.array(
        [i for i in np.flatnonzero(own > _MIN_OUTLIER_DISTANCE) if str(faces.face_ids[i]) not in sure], np.int64
    )
    rows: list[tuple[float, int, int, float]] = []
    for start in range(0, len(loose), _BLOCK_SIZE):
        some = loose[start : start + _BLOCK_SIZE]
        others = centres.distances(faces.embeddings[some], 0.0)
        others[np.arange(len(some)), owner[some]] = np.inf
        nearest = others.argmin(axis=1)
        away = others[np.arange(len(some)), nearest]
        chance = outlier_probability(own[some], away - own[some])
        for i in np.flatnonzero(chance > _MIN_PROBABILITY):
            rows.append((-float(chance[i]), int(some[i]), int(nearest[i]), float(away[i])))
    return tuple(
        Outlier(
            str(faces.face_ids[face]),
            persons[owner[face]].id,
            float(plain[face]),
            persons[other].id if np.isfinite(away) else None,
            _mean_pairwise_distance(faces.embeddings[face], centres.means[other], centres.mean_square_norm),
        )
        for _, face, other, away in sorted(rows)[:at_most]
    )


def _leave_one_out_distances(x: Float64, square: float) -> tuple[Float64, Float64]:
    """The distance of each face of a group to the other ones: plain, and less half of their scatter."""
    rest = (x.sum(axis=0) - x) / (len(x) - 1)
    plain = 2 * square - 2 * np.einsum("ij,ij->i", x, rest)
    return plain, plain - np.maximum(square - np.einsum("ij,ij->i", rest, rest), 0) / 2


def _mean_pairwise_distance(a: NDArray[np.floating], b: NDArray[np.floating], square: float) -> float:
    return max(0.0, 2 * square - 2 * float(a.astype(np.float64) @ b.astype(np.float64)))


def _find_merge_candidates(
    faces: FaceTable,
    persons: Sequence[Person],
    owners: Sequence[Indices],
    centres: _Centroids,
    resolved: ReplayedAnswers,
    at_most: int,
) -> tuple[MergeCandidate, ...]:
    """Pairs that are likely one person: near each other, and farther from everybody else."""
    offset = centres.mean_square_norm - centres.scatter / 2
    ones = np.ones(len(persons))
    probes = np.column_stack([-2 * centres.means, offset, ones]).astype(np.float32)
    targets = np.column_stack([centres.means, ones, offset]).astype(np.float32)
    best = SmallestEntries(len(persons), _MAX_MERGE_DISTANCE, _NEIGHBOURS_KEPT)
    for rows, columns, values in find_near_pairs(lambda rows: probes[rows], targets, best.limits, best.limits):
        best.add(rows, columns, values)
        best.add(columns, rows, values)
    best.flush()
    distance, other = best.values.astype(np.float64), best.columns
    distance = np.minimum(distance, _MAX_MERGE_DISTANCE)  # of none: at least as far
    margin = distance[:, :1] - distance
    margin[:, 0] = distance[:, 1] - distance[:, 0]
    chance = np.where(other >= 0, match_probability(distance, margin), 0.0)
    pairs: dict[tuple[int, int], float] = defaultdict(float)
    for i, k in np.argwhere(chance > _MIN_PROBABILITY).tolist():
        pair = (min(i, int(other[i, k])), max(i, int(other[i, k])))
        pairs[pair] = max(pairs[pair], float(chance[i, k]))
    found: list[MergeCandidate] = []
    for (a, b), likely in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        if len(found) == at_most:
            break
        if not (
            _share_a_photo(faces, owners[a], owners[b]) or _are_declared_different(persons[a], persons[b], resolved)
        ):
            apart = _mean_pairwise_distance(centres.means[a], centres.means[b], centres.mean_square_norm)
            found.append(MergeCandidate((persons[a].id, persons[b].id), apart, likely))
    return tuple(found)


def _share_a_photo(faces: FaceTable, a: Indices, b: Indices) -> bool:
    """On one photo they are two people."""
    return not set(faces.photo_ids[a].tolist()).isdisjoint(faces.photo_ids[b].tolist())


def _are_declared_different(a: Person, b: Person, resolved: ReplayedAnswers) -> bool:
    """Did the user say that these are two?"""
    for one, other in ((a, b), (b, a)):
        if one.name is not None:
            key = person_key(one.name)
            if any(key in map(person_key, resolved.rejected.get(face, ())) for face in other.face_ids):
                return True
    some, others = frozenset(a.face_ids), frozenset(b.face_ids)
    return any(
        not (some.isdisjoint(x) or others.isdisjoint(y)) or not (some.isdisjoint(y) or others.isdisjoint(x))
        for x, y in resolved.splits
    )


def _find_split_persons(
    faces: FaceTable,
    persons: Sequence[Person],
    owners: Sequence[Indices],
    group_of: Mapping[str, int],
    threshold: float,
    at_most: int,
) -> tuple[SplitCandidate, ...]:
    """For each named person the two groups, of two faces or more, that are farthest apart."""
    found = []
    for person, mine in zip(persons, owners, strict=True):
        parts: dict[int, list[int]] = defaultdict(list)
        for face in mine.tolist():
            number = group_of.get(str(faces.face_ids[face]))
            if number is not None and person.name is not None:
                parts[number].append(face)
        numbers = sorted(number for number, part in parts.items() if len(part) > 1)
        if len(numbers) < 2:
            continue
        centres = _Centroids.of(faces.embeddings, [np.array(parts[number]) for number in numbers])
        pairs = [
            (
                _mean_pairwise_distance(centres.means[i], centres.means[j], centres.mean_square_norm),
                numbers[i],
                numbers[j],
            )
            for i, j in combinations(range(len(numbers)), 2)
        ]
        apart, one, other = max(pairs, key=lambda pair: (pair[0], -pair[1], -pair[2]))
        if apart > _MIN_SPLIT_RATIO * threshold:
            sides = tuple(_sort_by_quality(faces, parts[number]) for number in (one, other))
            found.append(SplitCandidate(person.id, (one, other), (sides[0], sides[1]), apart))
    return tuple(sorted(found, key=lambda rift: (-rift.distance, rift.person))[:at_most])


def _sort_by_quality(faces: FaceTable, part: Sequence[int]) -> tuple[str, ...]:
    ids = sorted((-float(faces.quality[face]), str(faces.face_ids[face])) for face in part)
    return tuple(face for _, face in ids)
