"""Review a grouping: outliers, groups to merge and persons to split, by the distances between faces.

The distances shown are mean squared L2 over all pairs of faces, with local scaling, as in the
clustering. With μ the mean of a group's faces, q the mean of their offsets and r² the mean square of
all faces' norms, that is 2r² − 2⟨μA, μB⟩ + qA + qB. The probabilities are those of
`people.similarity`, fitted on distances less half of each side's scatter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from faceclust.catalogue.catalogue import Catalogue
from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.nearest_lists import SmallestEntries
from faceclust.outputs.report.values import (
    CrowdedGroup,
    FacesBeforeBirth,
    MergeCandidate,
    Outlier,
    ReviewFindings,
    SplitCandidate,
)
from faceclust.people.date_evidence import NO_DATE_EVIDENCE, DateEvidence
from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers
from faceclust.people.similarity import match_probability, outlier_probability
from faceclust.types import OPERATING_POINT, FaceTable, Float32, Float64, Indices, Person

_BLOCK_SIZE = 2048  # faces compared with all groups at a time
_MIN_OUTLIER_DISTANCE = 0.6  # a face nearer than this to the rest of its group belongs there
_MAX_MERGE_DISTANCE = 1.7  # groups farther apart than this are no merge candidates
_NEIGHBOURS_KEPT = 4  # nearest other groups of each group
_MIN_PROBABILITY = 0.5  # less probable findings are not listed
#: Groups are listed as crowded if local scaling adds more than this share of the threshold for each face: 1 of the
#: 441 groups of at least three faces in LFW, 4 of 278 in five albums, and 91 of 299 groups of simulated children
#: (tests/benchmarks/local_scaling.py). At 0.04 it would be 3, 12 and 141, but at most 30 are listed.
_MIN_CROWDED_OFFSET = 0.05
_MIN_SPLIT_RATIO = 1.35  # parts of one person are listed if farther apart than this times the threshold


def review(library: Catalogue) -> ReviewFindings:
    """Return the findings worth a look: outliers, merge candidates and split candidates.

    Empty before the first clustering.
    """
    if library.groups is None or not library.persons:
        return ReviewFindings()
    threshold = library.groups.params.threshold
    return review_grouping(
        library.faces,
        library.persons,
        library.group_of,
        library.answers,
        threshold,
        offsets=library.face_offsets,
        evidence=library.date_evidence,
    )


def review_grouping(
    faces: FaceTable,
    persons: Sequence[Person],
    group_of: Mapping[str, int],
    answers: ReplayedAnswers,
    threshold: float = OPERATING_POINT,
    limit: int = 30,
    offsets: Float64 | None = None,
    evidence: DateEvidence = NO_DATE_EVIDENCE,
) -> ReviewFindings:
    """Return the outliers, merge candidates and split candidates of a grouping.

    At most `limit` of each, the most doubtful first. Confirmed and rejected names are not
    questioned, except by dates: by the `evidence`, nobody is like a face from before their birth, and
    confirmed faces from before it are listed. `offsets` (n,) are what local scaling adds to the
    distances of each face. Memory is linear in the number of faces and of groups.
    """
    persons = [person for person in persons if not person.ignored]
    position = {face: i for i, face in enumerate(faces.face_ids.tolist())}
    members = [np.array([position[f] for f in person.face_ids if f in position], np.int64) for person in persons]
    kept = [i for i, found in enumerate(members) if len(found)]
    persons, members = [persons[i] for i in kept], [members[i] for i in kept]
    if not persons:
        return ReviewFindings()
    offsets = np.zeros(len(faces)) if offsets is None else offsets
    centroids = _Centroids.of(faces.embeddings, members, offsets)
    return ReviewFindings(
        outliers=_find_outliers(faces, persons, members, centroids, group_of, limit, offsets, evidence),
        merge_candidates=_find_merge_candidates(faces, persons, members, centroids, answers, limit, evidence),
        split_candidates=_find_split_candidates(faces, persons, members, group_of, threshold, limit, offsets),
        crowded_groups=_find_crowded_groups(faces, persons, members, centroids, threshold, limit),
        before_birth=_find_before_birth(persons, evidence, limit),
    )


@dataclass(frozen=True)
class _Centroids:
    """Means (k, d) of sets of faces, their scatter (k,), the mean squared distance from the mean, and
    the means of their `offsets` (k,). `mean_square_norm` is that of all faces.
    """

    means: Float32
    scatter: Float64
    offsets: Float64
    mean_square_norm: float

    @classmethod
    def of(cls, embeddings: Float32, members: Sequence[Indices], offsets: Float64) -> _Centroids:
        square = float(np.einsum("ij,ij->", embeddings, embeddings, dtype=np.float64)) / len(embeddings)
        means = np.stack([embeddings[indices].mean(axis=0, dtype=np.float64) for indices in members])
        scatter = np.maximum(square - np.einsum("ij,ij->i", means, means), 0)
        mean_offsets = np.array([offsets[indices].mean() for indices in members])
        return cls(means.astype(np.float32), scatter, mean_offsets, square)

    def face_distances(self, faces: Float32, offsets: Float64) -> Float64:
        """Distances (n, k) of single faces (n, d) from these sets, less half of the sets' scatter."""
        plain = 2 * self.mean_square_norm - 2 * (faces @ self.means.T).astype(np.float64)
        return np.asarray(plain + offsets[:, None] + self.offsets - self.scatter / 2)

    def pair_distance(self, a: int, b: int) -> float:
        """The distance of two sets, their scatter included."""
        product = float(self.means[a].astype(np.float64) @ self.means[b].astype(np.float64))
        return max(0.0, 2 * self.mean_square_norm - 2 * product + float(self.offsets[a] + self.offsets[b]))


# -- outliers -----------------------------------------------------------------


def _find_outliers(
    faces: FaceTable,
    persons: Sequence[Person],
    members: Sequence[Indices],
    centroids: _Centroids,
    group_of: Mapping[str, int],
    limit: int,
    offsets: Float64,
    evidence: DateEvidence,
) -> tuple[Outlier, ...]:
    """Unconfirmed faces that probably do not belong to their group of at least three faces."""
    owner = np.full(len(faces), -1)
    for number, indices in enumerate(members):
        owner[indices] = number
    plain, own = _distances_to_own_group(faces, owner, group_of, centroids.mean_square_norm, offsets)
    confirmed = {face for person in persons for face in person.confirmed}
    suspects = np.array(
        [i for i in np.flatnonzero(own > _MIN_OUTLIER_DISTANCE) if str(faces.face_ids[i]) not in confirmed], np.int64
    )
    rows: list[tuple[float, int, int, float]] = []
    for start in range(0, len(suspects), _BLOCK_SIZE):
        block = suspects[start : start + _BLOCK_SIZE]
        distances = centroids.face_distances(faces.embeddings[block], offsets[block])
        distances[np.arange(len(block)), owner[block]] = np.inf
        nearest = distances.argmin(axis=1)
        nearest_distance = distances[np.arange(len(block)), nearest]
        probability = outlier_probability(own[block], nearest_distance - own[block])
        for i in np.flatnonzero(probability > _MIN_PROBABILITY):
            rows.append((-float(probability[i]), int(block[i]), int(nearest[i]), float(nearest_distance[i])))
    return tuple(
        Outlier(
            str(faces.face_ids[face]),
            persons[owner[face]].id,
            float(plain[face]),
            persons[other].id
            if np.isfinite(distance) and not _is_unborn(persons[other], face, faces, evidence)
            else None,
            max(0.0, distance + float(centroids.scatter[other]) / 2),
        )
        for _, face, other, distance in sorted(rows)[:limit]
    )


def _is_unborn(person: Person, face: int, faces: FaceTable, evidence: DateEvidence) -> bool:
    """True if a named person was born after a face, given by its index, was photographed."""
    return person.name is not None and evidence.are_all_before_birth(person.name, [str(faces.face_ids[face])])


def _distances_to_own_group(
    faces: FaceTable, owner: Indices, group_of: Mapping[str, int], mean_square_norm: float, offsets: Float64
) -> tuple[Float64, Float64]:
    """`_leave_one_out_distances` (n,) of every face; 0 without an owner or in a group of less than three."""
    groups: dict[int, list[int]] = defaultdict(list)
    for i, face in enumerate(faces.face_ids.tolist()):
        if owner[i] >= 0 and face in group_of:
            groups[group_of[face]].append(i)
    plain, reduced = np.zeros(len(faces)), np.zeros(len(faces))
    for group in groups.values():
        if len(group) > 2:
            indices = np.array(group, np.int64)
            plain[indices], reduced[indices] = _leave_one_out_distances(
                faces.embeddings[indices].astype(np.float64), mean_square_norm, offsets[indices]
            )
    return plain, reduced


def _leave_one_out_distances(x: Float64, square: float, offsets: Float64) -> tuple[Float64, Float64]:
    """Distances (n,) of each face of a group (n, d) from the others: plain, and less half their scatter."""
    rest = (x.sum(axis=0) - x) / (len(x) - 1)
    plain = 2 * square - 2 * np.einsum("ij,ij->i", x, rest) + offsets
    plain += (offsets.sum() - offsets) / (len(x) - 1)
    return plain, plain - np.maximum(square - np.einsum("ij,ij->i", rest, rest), 0) / 2


# -- merge candidates ---------------------------------------------------------


def _find_merge_candidates(
    faces: FaceTable,
    persons: Sequence[Person],
    members: Sequence[Indices],
    centroids: _Centroids,
    answers: ReplayedAnswers,
    limit: int,
    evidence: DateEvidence,
) -> tuple[MergeCandidate, ...]:
    """Pairs that are probably one person: near each other, and farther from everybody else."""
    found: list[MergeCandidate] = []
    pairs = _match_probabilities(centroids)
    for (a, b), probability in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        if len(found) == limit:
            break
        if _share_a_photo(faces, members[a], members[b]) or _are_declared_different(persons[a], persons[b], answers):
            continue
        if _are_of_different_times(persons[a], persons[b], evidence):
            continue
        found.append(MergeCandidate((persons[a].id, persons[b].id), centroids.pair_distance(a, b), probability))
    return tuple(found)


def _match_probabilities(centroids: _Centroids) -> dict[tuple[int, int], float]:
    """Pair of indices → its match probability, for the pairs above `_MIN_PROBABILITY`."""
    count = len(centroids.means)
    addend = centroids.mean_square_norm - centroids.scatter / 2 + centroids.offsets
    ones = np.ones(count)
    probes = np.column_stack([-2 * centroids.means, addend, ones]).astype(np.float32)
    targets = np.column_stack([centroids.means, ones, addend]).astype(np.float32)
    best = SmallestEntries(count, _MAX_MERGE_DISTANCE, _NEIGHBOURS_KEPT)
    for rows, columns, values in find_near_pairs(lambda rows: probes[rows], targets, best.limits, best.limits):
        best.add(rows, columns, values)
        best.add(columns, rows, values)
    best.flush()
    distance, other = best.values.astype(np.float64), best.columns
    distance = np.minimum(distance, _MAX_MERGE_DISTANCE)  # missing neighbours are at least that far
    margin = distance[:, :1] - distance
    margin[:, 0] = distance[:, 1] - distance[:, 0]
    probability = np.where(other >= 0, match_probability(distance, margin), 0.0)
    pairs: dict[tuple[int, int], float] = defaultdict(float)
    for i, k in np.argwhere(probability > _MIN_PROBABILITY).tolist():
        pair = (min(i, int(other[i, k])), max(i, int(other[i, k])))
        pairs[pair] = max(pairs[pair], float(probability[i, k]))
    return pairs


def _share_a_photo(faces: FaceTable, a: Indices, b: Indices) -> bool:
    """Two persons on one photo are different people."""
    return not set(faces.photo_ids[a].tolist()).isdisjoint(faces.photo_ids[b].tolist())


def _are_declared_different(a: Person, b: Person, answers: ReplayedAnswers) -> bool:
    """True if the user rejected one person's name for the other, or split their faces."""
    for person, other in ((a, b), (b, a)):
        if person.name is not None:
            key = person_key(person.name)
            if any(key in map(person_key, answers.rejected.get(face, ())) for face in other.face_ids):
                return True
    faces, others = frozenset(a.face_ids), frozenset(b.face_ids)
    return any(
        not (faces.isdisjoint(left) or others.isdisjoint(right))
        or not (faces.isdisjoint(right) or others.isdisjoint(left))
        for left, right in answers.splits
    )


def _are_of_different_times(a: Person, b: Person, evidence: DateEvidence) -> bool:
    """True if all faces of one are dated before the birth of the other."""
    return any(
        person.name is not None and evidence.are_all_before_birth(person.name, other.face_ids)
        for person, other in ((a, b), (b, a))
    )


# -- split candidates ---------------------------------------------------------


def _find_split_candidates(
    faces: FaceTable,
    persons: Sequence[Person],
    members: Sequence[Indices],
    group_of: Mapping[str, int],
    threshold: float,
    limit: int,
    offsets: Float64,
) -> tuple[SplitCandidate, ...]:
    """For each named person, the two groups of at least two faces that are farthest apart."""
    found = []
    for person, indices in zip(persons, members, strict=True):
        parts: dict[int, list[int]] = defaultdict(list)
        for face in indices.tolist():
            number = group_of.get(str(faces.face_ids[face]))
            if number is not None and person.name is not None:
                parts[number].append(face)
        numbers = sorted(number for number, part in parts.items() if len(part) > 1)
        if len(numbers) < 2:
            continue
        centroids = _Centroids.of(faces.embeddings, [np.array(parts[number]) for number in numbers], offsets)
        pairs = [
            (centroids.pair_distance(i, j), numbers[i], numbers[j]) for i, j in combinations(range(len(numbers)), 2)
        ]
        distance, first, second = max(pairs, key=lambda pair: (pair[0], -pair[1], -pair[2]))
        if distance > _MIN_SPLIT_RATIO * threshold:
            sides = (_sort_by_quality(faces, parts[first]), _sort_by_quality(faces, parts[second]))
            found.append(SplitCandidate(person.id, (first, second), sides, distance))
    return tuple(sorted(found, key=lambda candidate: (-candidate.distance, candidate.person))[:limit])


# -- crowded groups -----------------------------------------------------------


def _find_crowded_groups(
    faces: FaceTable,
    persons: Sequence[Person],
    members: Sequence[Indices],
    centroids: _Centroids,
    threshold: float,
    limit: int,
) -> tuple[CrowdedGroup, ...]:
    """Persons and groups of at least three faces that look like many others to the model, the most crowded first.

    Two faces are equally typical of their group. Left out are persons whose faces are all confirmed.
    """
    crowded = []
    for i, (person, indices) in enumerate(zip(persons, members, strict=True)):
        offset = float(centroids.offsets[i])
        if offset > _MIN_CROWDED_OFFSET * threshold and len(person.confirmed) < len(indices) > 2:
            similarity = faces.embeddings[indices] @ centroids.means[i]
            confirmed = np.isin(faces.face_ids[indices], list(person.confirmed))
            doubtful = np.where(confirmed, np.inf, similarity).argmin()
            similarity[doubtful] = -np.inf
            typical, untypical = faces.face_ids[indices[[similarity.argmax(), doubtful]]].tolist()
            crowded.append(CrowdedGroup(person.id, offset, (typical, untypical)))
    return tuple(sorted(crowded, key=lambda group: (-group.offset, group.person))[:limit])


# -- faces from before a birth --------------------------------------------------


def _find_before_birth(persons: Sequence[Person], evidence: DateEvidence, limit: int) -> tuple[FacesBeforeBirth, ...]:
    """Return the persons with confirmed faces that are dated before the birth, those with most such faces first."""
    found = [
        FacesBeforeBirth(person.id, tuple(sorted(early)), str(evidence.birth_of(person.name)))
        for person in (persons if evidence else ())
        if person.name is not None and (early := evidence.find_before_birth(person.name, person.confirmed))
    ]
    return tuple(sorted(found, key=lambda finding: (-len(finding.faces), finding.person))[:limit])


def _sort_by_quality(faces: FaceTable, part: Sequence[int]) -> tuple[str, ...]:
    ids = sorted((-float(faces.quality[face]), str(faces.face_ids[face])) for face in part)
    return tuple(face for _, face in ids)
