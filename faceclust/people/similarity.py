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
_COLUMNS = 64  # groups whose smallest distance is found first
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
        self._row_of_unit: dict[tuple[str, ...], int] = {}  # unit → its row in the next four arrays
        self._near_groups, self._near_distances = np.empty((0, NEAREST_GROUPS), np.int64), np.empty((0, NEAREST_GROUPS))
        self._unit_means, self._unit_addend = self._means[:0], self._addend[:0]
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
        rows = self._rows_of(units)
        return self._near_groups[rows], self._near_distances[rows]

    def group_distances(self, unit: tuple[str, ...]) -> dict[int, float]:
        """Return the distance of a unit to each group, by its number; inf to its own."""
        distances = self._group_distances(*self._units([unit]))[0]
        return dict(zip(self._numbers.tolist(), distances.tolist(), strict=True))

    def face_distances(self, units: Sequence[tuple[str, ...]], faces: Sequence[str]) -> Float64:
        """Return the distances between units and single faces, float64 (units, faces)."""
        rows = self._rows_of(units)
        positions = np.array([self._position[face] for face in faces], np.int64)
        products = (self._unit_means[rows] @ self._embeddings[positions].T).astype(np.float64)
        distances = 2 * self._mean_square_norm - 2 * products
        return np.asarray(distances + self._unit_addend[rows, None] + self._offsets[positions])

    def mean_distance(self, face: str, others: Sequence[str]) -> float:
        """Return the mean distance between a face and other single faces, at least one. All can be compared."""
        place, places = self._position[face], np.array([self._position[other] for other in others], np.int64)
        difference = self._embeddings[places].astype(np.float64) - self._embeddings[place]
        return float(((difference**2).sum(axis=1) + self._offsets[places]).mean() + self._offsets[place])

    def _rows_of(self, units: Sequence[tuple[str, ...]]) -> Indices:
        """Return the rows of units in the arrays of those that are known; others become known."""
        new = [unit for unit in dict.fromkeys(units) if unit not in self._row_of_unit]
        parts = [(self._near_groups, self._near_distances, self._unit_means, self._unit_addend)]
        for start in range(0, len(new), _BLOCK):
            block = new[start : start + _BLOCK]
            positions, means, addend = self._units(block)
            distances = self._group_distances(positions, means, addend)
            parts.append((*_smallest_of_rows(distances, self._numbers), means, addend))
        self._row_of_unit |= {unit: len(self._row_of_unit) + i for i, unit in enumerate(new)}
        if new:
            self._near_groups, self._near_distances, self._unit_means, self._unit_addend = map(
                np.concatenate, zip(*parts, strict=True)
            )
        return np.array([self._row_of_unit[unit] for unit in units], dtype=np.int64)

    def _group_distances(self, positions: Sequence[Indices], means: Float32, addend: Float64) -> Float64:
        """Return the distances (units, groups); inf between a unit and its own group."""
        distances = (means @ self._means.T).astype(np.float64)
        distances *= -2
        distances += 2 * self._mean_square_norm
        distances += addend[:, None] + self._addend
        for line, some in zip(distances, positions, strict=True):
            rows = self._row[some]
            line[rows[rows >= 0]] = np.inf
        return distances

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

    def expected_outliers(self, groups: Sequence[tuple[str, ...]]) -> list[float]:
        """Return the expected number of each group's faces that do not belong to it."""
        known = self._expected_outliers  # by identity: hashing long tuples is slow
        new = [faces for faces in groups if len(faces) > 2 and id(faces) not in known]
        probability = self.outlier_probabilities(face for faces in new for face in faces)
        known |= {id(faces): (faces, sum(probability.get(face, 0.0) for face in faces)) for faces in new}
        return [known[id(faces)][1] if len(faces) > 2 else 0.0 for faces in groups]

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


def _smallest_of_rows(lines: Float64, numbers: NDArray[np.integer]) -> tuple[Indices, Float64]:
    """Return the NEAREST_GROUPS smallest values of each row (n, m), ascending, and the numbers (m,) of their columns.

    Numbers are −1 and values inf if there are fewer finite ones. Most columns are ruled out by the minima of
    blocks of columns, which takes a fraction of the time of `argpartition`.
    """
    count, width = len(lines), lines.shape[1]
    blocks = max(NEAREST_GROUPS, width // _COLUMNS)
    padding = -width % blocks
    lines = np.pad(lines, ((0, 0), (0, padding)), constant_values=np.inf) if padding else lines
    minima = lines.reshape(count, blocks, -1).min(axis=2, initial=np.inf)
    limit = np.partition(minima, NEAREST_GROUPS - 1, axis=1)[:, NEAREST_GROUPS - 1 : NEAREST_GROUPS]
    row, column = np.nonzero((lines <= limit) & (lines < np.inf))
    value = lines[row, column]
    order = np.lexsort((column, value, row))
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    order, rank = order[rank < NEAREST_GROUPS], rank[rank < NEAREST_GROUPS]
    found, distances = np.full((count, NEAREST_GROUPS), -1, np.int64), np.full((count, NEAREST_GROUPS), np.inf)
    found[row[order], rank], distances[row[order], rank] = numbers[column[order]], value[order]
    return found, distances


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
