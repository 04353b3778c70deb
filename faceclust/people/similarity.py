"""How near faces and groups are to the groups of a clustering, and how sure that makes us.

The distance is that of the grouping itself: the mean squared L2 over all pairs of faces, less
half of each side's scatter (the mean squared distance of its faces from their centre): people
who look different from photo to photo make loose groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceclust.types import SCATTER_SHARE, Clustering, FaceTable, Float32, Float64, Indices

#: Groups remembered as nearest to a face or a group.
NEAREST_GROUPS = 8
_BLOCK = 2048
_CERTAIN_DISTANCE = 0.6  # a face this near to the others of its group belongs there: 1 in 300 did not


class GroupDistances:
    """Distances between faces and the groups they were put in. Groups are by their numbers."""

    def __init__(self, faces: FaceTable, clustering: Clustering | None) -> None:
        self._position = {face: i for i, face in enumerate(faces.face_ids.tolist())}
        self._embeddings = faces.embeddings
        self._mean_square_norm = float(np.einsum("ij,ij->", faces.embeddings, faces.embeddings)) / max(1, len(faces))
        labels = _labels_of_faces(faces, clustering)
        self._numbers, row = np.unique(labels, return_inverse=True)
        alone = int(np.count_nonzero(self._numbers < 0))
        self._row = (row - alone).astype(np.int64)
        self._numbers = self._numbers[alone:]
        self.groups = frozenset(self._numbers.tolist())
        self._sizes = np.bincount(self._row[self._row >= 0], minlength=len(self._numbers))
        self._means, self._scatter = self._centres(self._row, len(self._numbers))
        self._row_of_unit: dict[tuple[str, ...] | str, int] = {}  # unit → its row in the two arrays
        self._near_groups, self._near_distances = np.empty((0, NEAREST_GROUPS), np.int64), np.empty((0, NEAREST_GROUPS))
        self._outlier_probability: dict[str, float] = {}
        self._expected_outliers: dict[int, tuple[tuple[str, ...], float]] = {}  # by the identity of the faces

    def _centres(self, row: Indices, count: int) -> tuple[Float32, Float64]:
        """Mean (count, d) and scatter (count,) of the faces of each row; −1: of none."""
        order = np.argsort(row, kind="stable")
        order = order[row[order] >= 0]
        if not len(order):
            return np.zeros((count, self._embeddings.shape[1]), np.float32), np.zeros(count)
        starts = np.flatnonzero(np.diff(row[order], prepend=-1))
        sums = np.add.reduceat(self._embeddings[order], starts, axis=0, dtype=np.float64)
        means = sums / np.bincount(row[order], minlength=count)[:, None]
        return means.astype(np.float32), self._mean_square_norm - np.einsum("ij,ij->i", means, means)

    def nearest_groups(self, units: Sequence[tuple[str, ...]]) -> tuple[Indices, Float64]:
        """For each set of faces the NEAREST groups, itself left out: numbers (n, NEAREST) and rising
        distances (n, NEAREST), −1 and infinite where there are fewer. Each set is looked at once."""
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
        """(units, groups); infinite where the unit is the group."""
        position = [np.array([self._position[face] for face in unit]) for unit in units]
        means = np.stack([self._embeddings[some].mean(axis=0) for some in position])
        scatter = self._mean_square_norm - np.einsum("ij,ij->i", means, means, dtype=np.float64)
        distances = 2 * self._mean_square_norm - 2 * (means @ self._means.T).astype(np.float64)
        distances -= SCATTER_SHARE * (np.maximum(scatter, 0)[:, None] + self._scatter)
        for line, some in zip(distances, position, strict=True):
            rows = np.unique(self._row[some])
            line[rows[rows >= 0]] = np.inf
        return distances

    def face_distances(self, units: Sequence[tuple[str, ...]], faces: Sequence[str]) -> Float64:
        """Distances (units, faces) to single faces, each for itself."""
        means = np.stack([self._embeddings[[self._position[f] for f in unit]].mean(axis=0) for unit in units])
        scatter = np.maximum(self._mean_square_norm - np.einsum("ij,ij->i", means, means, dtype=np.float64), 0)
        others = self._embeddings[[self._position[face] for face in faces]]
        return np.asarray(
            2 * self._mean_square_norm - 2 * (means @ others.T) - SCATTER_SHARE * scatter[:, None], dtype=np.float64
        )

    def outlier_probabilities(self, faces: Iterable[str]) -> dict[str, float]:
        """The chance of each of these faces that it does not belong to its group, for groups of
        three and more: of two faces none is the odd one."""
        faces = list(faces)
        new = [face for face in faces if face not in self._outlier_probability and self._row[self._position[face]] >= 0]
        new = [face for face in new if self._sizes[self._row[self._position[face]]] > 2]
        for start in range(0, len(new), _BLOCK):
            some = new[start : start + _BLOCK]
            self._outlier_probability |= dict(
                zip(some, self._compute_outlier_probabilities(some).tolist(), strict=True)
            )
        return {face: self._outlier_probability[face] for face in faces if face in self._outlier_probability}

    def expected_outliers(self, faces: tuple[str, ...]) -> float:
        """How many of a group's faces do not belong to it, on average."""
        if len(faces) < 3:  # kept by identity: single faces are new tuples each time
            return 0.0
        known = self._expected_outliers.get(id(faces))
        if known is None:
            known = self._expected_outliers[id(faces)] = (faces, sum(self.outlier_probabilities(faces).values()))
        return known[1]

    def _compute_outlier_probabilities(self, faces: Sequence[str]) -> Float64:
        position = np.array([self._position[face] for face in faces], dtype=np.int64)
        row = self._row[position]
        x = self._embeddings[position].astype(np.float64)
        sizes = self._sizes[row][:, None]
        rest = (self._means[row] * sizes - x) / (sizes - 1)
        scatter = self._mean_square_norm - np.einsum("ij,ij->i", rest, rest)
        own = 2 * self._mean_square_norm - 2 * np.einsum("ij,ij->i", x, rest) - SCATTER_SHARE * scatter
        chance = np.zeros(len(faces))
        loose = np.flatnonzero(own > _CERTAIN_DISTANCE)
        others = (
            2 * self._mean_square_norm
            - 2 * (x[loose].astype(np.float32) @ self._means.T)
            - SCATTER_SHARE * self._scatter
        )
        others[np.arange(len(loose)), row[loose]] = np.inf
        chance[loose] = outlier_probability(own[loose], others.min(axis=1) - own[loose])
        return chance


def match_probability(distance: Float64, margin: Float64) -> Float64:
    """The chance that what is this far from a person, and that much farther from the next one, is
    that person. Fitted to eleven sets of real faces (half of LFW, parts of it, made albums), on
    the scale on which 1.1 is the threshold; a set left out is foretold with an AUC of 0.96."""
    return _sigmoid(9.3 - 9.9 * distance + 10.5 * np.clip(margin, -0.3, 0.3))


def outlier_probability(distance: Float64, margin: Float64) -> Float64:
    """The chance that a face this far from the others of its group, and that much farther from the
    nearest other group, is somebody else. Fitted to the same sets (AUC 0.94)."""
    return _sigmoid(-4.0 + 5.1 * distance - 8.9 * np.clip(margin, -0.3, 0.6))


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))), dtype=np.float64)


def _labels_of_faces(faces: FaceTable, clustering: Clustering | None) -> NDArray[np.int32]:
    if clustering is None:
        return np.full(len(faces), -1, np.int32)
    label_of = dict(zip(clustering.face_ids.tolist(), clustering.labels.tolist(), strict=True))
    return np.array([label_of.get(face, -1) for face in faces.face_ids.tolist()], dtype=np.int32)
