"""Distances between faces and groups, and the probabilities that follow from them.

The distance is the one that clustering uses: the mean squared L2 over all pairs of faces, minus
half of each side's scatter (the mean squared distance of its faces from their centre), plus what
local scaling adds to each side. The faces of people who look different from photo to photo have a
large scatter; those of children are in crowded surroundings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceclust.types import SCATTER_SHARE, Clustering, FaceTable, Float32, Float64, Indices

#: The number of nearest groups kept for a face or a group.
NEAREST_GROUPS = 8
_BLOCK = 2048  # units processed at a time, which bounds the memory
_CERTAIN_DISTANCE = 0.6  # at this distance from the rest of its group, 299 of 300 faces belong to it


class GroupDistances:
    """Distances between faces and the groups of a clustering, by group number.

    A *unit* is a set of faces: a single face, or a group. Those of its faces that cannot be compared do not
    count, except that one has to be left. `offsets` (n,) are what local scaling adds to the distances of each
    face, None without it.
    """

    def __init__(self, faces: FaceTable, clustering: Clustering | None, offsets: Float64 | None = None) -> None:
        self._position = {face: i for i, face in enumerate(faces.face_ids.tolist())}
        self._embeddings = faces.embeddings
        self._offsets = np.zeros(len(faces)) if offsets is None else offsets
        self._mean_square_norm = float(np.einsum("ij,ij->", faces.embeddings, faces.embeddings)) / max(1, len(faces))
        labels = _labels_of_faces(faces, clustering)
        self._numbers, row = np.unique(labels, return_inverse=True)
        alone = int(np.count_nonzero(self._numbers < 0))
        self._row = (row - alone).astype(np.int64)
        self._numbers = self._numbers[alone:]
        self.groups = frozenset(self._numbers.tolist())
        self._sizes = np.bincount(self._row[self._row >= 0], minlength=len(self._numbers))
        self._means, self._group_offset = self._centres(self._row, len(self._numbers))
        self._addend = self._addend_of(self._means, self._group_offset)
        self._row_of_unit: dict[tuple[str, ...] | str, int] = {}  # unit → its row in the next two arrays
        self._near_groups, self._near_distances = np.empty((0, NEAREST_GROUPS), np.int64), np.empty((0, NEAREST_GROUPS))
        self._outlier_probability: dict[str, float] = {}
        self._expected_outliers: dict[int, tuple[tuple[str, ...], float]] = {}  # by `id` of the tuple of faces

    def can_compare(self, face: str) -> bool:
        """Return whether a face has an embedding."""
        return face in self._position

    def _centres(self, row: Indices, count: int) -> tuple[Float32, Float64]:
        """Return mean (count, d) and mean offset (count,) of the faces of each row; row −1 means no group."""
        order = np.argsort(row, kind="stable")
        order = order[row[order] >= 0]
        if not len(order):
            return np.zeros((count, self._embeddings.shape[1]), np.float32), np.zeros(count)
        starts = np.flatnonzero(np.diff(row[order], prepend=-1))
        sums = np.add.reduceat(self._embeddings[order], starts, axis=0, dtype=np.float64)
        sizes = np.bincount(row[order], minlength=count)
        means = sums / sizes[:, None]
        offset = np.add.reduceat(self._offsets[order], starts) / sizes
        return means.astype(np.float32), np.asarray(offset)

    def _addend_of(self, means: NDArray[np.floating], offset: Float64) -> Float64:
        """Return what sets of faces with these means (n, d) and mean offsets (n,) add to distances, (n,)."""
        scatter = self._mean_square_norm - np.einsum("ij,ij->i", means, means, dtype=np.float64)
        return np.asarray(offset - SCATTER_SHARE * np.maximum(scatter, 0))

    def _units(self, units: Sequence[tuple[str, ...]]) -> tuple[list[Indices], Float32, Float64]:
        """Return the positions of each unit's faces, their means (n, d), and what they add to distances (n,)."""
        known = self._position
        positions = [np.array([known[face] for face in unit if face in known], np.int64) for unit in units]
        means = np.stack([self._embeddings[some].mean(axis=0) for some in positions])
        offset = np.array([self._offsets[some].mean() for some in positions])
        return positions, means, self._addend_of(means, offset)

    def nearest_groups(self, units: Sequence[tuple[str, ...]]) -> tuple[Indices, Float64]:
        """Return each unit's nearest groups other than its own, (n, NEAREST_GROUPS): numbers and distances.

        Distances are ascending. If there are fewer groups, numbers are −1 and distances inf. Each unit
        is computed only once.
        """
        new = [unit for unit in dict.fromkeys(units) if unit not in self._row_of_unit]
        groups, distances = [self._near_groups], [self._near_distances]
        for start in range(0, len(new), _BLOCK):
            block = new[start : start + _BLOCK]
            self._row_of_unit |= {unit: len(self._row_of_unit) + i for i, unit in enumerate(block)}
            numbers, lines = self._find_nearest_groups(block)
            groups.append(numbers)
            distances.append(lines)
        self._near_groups, self._near_distances = np.concatenate(groups), np.concatenate(distances)
        rows = np.array([self._row_of_unit[unit] for unit in units], dtype=np.int64)
        return self._near_groups[rows], self._near_distances[rows]

    def has_face(self, face: str) -> bool:
        """Whether the face has an embedding, so that it has distances."""
        return face in self._position

    def group_distances(self, unit: tuple[str, ...]) -> dict[int, float]:
        """Return the distance of a unit to each group, by its number; inf to its own."""
        return dict(zip(self._numbers.tolist(), self._group_distances([unit])[0].tolist(), strict=True))

    def _find_nearest_groups(self, units: Sequence[tuple[str, ...]]) -> tuple[Indices, Float64]:
        lines = self._group_distances(units)
        if lines.shape[1] < NEAREST_GROUPS:
            lines = np.pad(lines, ((0, 0), (0, NEAREST_GROUPS - lines.shape[1])), constant_values=np.inf)
        numbers = np.pad(self._numbers, (0, max(0, NEAREST_GROUPS - len(self._numbers))), constant_values=-1)
        best = np.argpartition(lines, NEAREST_GROUPS - 1, axis=1)[:, :NEAREST_GROUPS]
        best = np.take_along_axis(best, np.take_along_axis(lines, best, 1).argsort(axis=1, kind="stable"), 1)
        found = np.take_along_axis(lines, best, 1)
        return np.where(np.isfinite(found), numbers[best], -1).astype(np.int64), found

    def _group_distances(self, units: Sequence[tuple[str, ...]]) -> Float64:
        """Return the distances (units, groups); inf between a unit and its own group."""
        positions, means, addend = self._units(units)
        distances = 2 * self._mean_square_norm - 2 * (means @ self._means.T).astype(np.float64)
        distances += addend[:, None] + self._addend
        for line, some in zip(distances, positions, strict=True):
            rows = np.unique(self._row[some])
            line[rows[rows >= 0]] = np.inf
        return distances

    def face_distances(self, units: Sequence[tuple[str, ...]], faces: Sequence[str]) -> Float64:
        """Return the distances between units and single faces, float64 (units, faces)."""
        _, means, addend = self._units(units)
        positions = np.array([self._position[face] for face in faces], np.int64)
        distances = 2 * self._mean_square_norm - 2 * (means @ self._embeddings[positions].T).astype(np.float64)
        return np.asarray(distances + addend[:, None] + self._offsets[positions])

    def outlier_probabilities(self, faces: Iterable[str]) -> dict[str, float]:
        """Return the probability for each face that it does not belong to its group.

        Faces in groups of fewer than three are left out: of two faces neither is the outlier. So are faces that
        cannot be compared.
        """
        faces = [face for face in faces if face in self._position]
        new = [face for face in faces if face not in self._outlier_probability and self._row[self._position[face]] >= 0]
        new = [face for face in new if self._sizes[self._row[self._position[face]]] > 2]
        for start in range(0, len(new), _BLOCK):
            some = new[start : start + _BLOCK]
            self._outlier_probability |= dict(
                zip(some, self._compute_outlier_probabilities(some).tolist(), strict=True)
            )
        return {face: self._outlier_probability[face] for face in faces if face in self._outlier_probability}

    def expected_outliers(self, faces: tuple[str, ...]) -> float:
        """Return the expected number of a group's faces that do not belong to it."""
        if len(faces) < 3:
            return 0.0
        cached = self._expected_outliers.get(id(faces))  # by identity: hashing long tuples is slow
        if cached is None:
            cached = self._expected_outliers[id(faces)] = (faces, sum(self.outlier_probabilities(faces).values()))
        return cached[1]

    def _compute_outlier_probabilities(self, faces: Sequence[str]) -> Float64:
        position = np.array([self._position[face] for face in faces], dtype=np.int64)
        row = self._row[position]
        x = self._embeddings[position].astype(np.float64)
        sizes = self._sizes[row][:, None]
        rest = (self._means[row] * sizes - x) / (sizes - 1)
        offset = self._offsets[position]
        rest_offset = (self._group_offset[row] * sizes[:, 0] - offset) / (sizes[:, 0] - 1)
        own = 2 * self._mean_square_norm - 2 * np.einsum("ij,ij->i", x, rest)
        own += offset + self._addend_of(rest, rest_offset)
        probability = np.zeros(len(faces))
        loose = np.flatnonzero(own > _CERTAIN_DISTANCE)
        others = 2 * self._mean_square_norm - 2 * (x[loose].astype(np.float32) @ self._means.T)
        others = others + offset[loose, None] + self._addend
        others[np.arange(len(loose)), row[loose]] = np.inf
        probability[loose] = outlier_probability(own[loose], others.min(axis=1) - own[loose])
        return probability


def match_probability(distance: Float64, margin: Float64) -> Float64:
    """Return the probability that a unit is a person, given the distance and its margin to the next person.

    Logistic regression on eleven sets of real faces (half of LFW, parts of it, sample albums), by dlib and
    on the scale of OPERATING_POINT. Cross-validation with one set held out gives an AUC of 0.96. With
    MobileFaceNet it is 0.92 on LFW, and 0.99 on albums, where it expects twice too many matches. Weights
    fitted for that pack (tests/benchmarks/fit.py) make `label` ask about fewer matches, and need 219
    answers instead of 191 to name 99 % of a library.
    """
    return _sigmoid(9.3 - 9.9 * distance + 10.5 * np.clip(margin, -0.3, 0.3))


def outlier_probability(distance: Float64, margin: Float64) -> Float64:
    """Return the probability that a face does not belong to its group.

    `distance` is that to the rest of the group, and `margin` how much farther the nearest other group
    is. Fitted like `match_probability` (AUC 0.94).
    """
    return _sigmoid(-4.0 + 5.1 * distance - 8.9 * np.clip(margin, -0.3, 0.6))


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))), dtype=np.float64)


def _labels_of_faces(faces: FaceTable, clustering: Clustering | None) -> NDArray[np.int32]:
    if clustering is None:
        return np.full(len(faces), -1, np.int32)
    label_of = dict(zip(clustering.face_ids.tolist(), clustering.labels.tolist(), strict=True))
    return np.array([label_of.get(face, -1) for face in faces.face_ids.tolist()], dtype=np.int32)
