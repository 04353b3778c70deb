"""Distances between faces and groups equal their definition, local scaling included."""

from __future__ import annotations

import numpy as np

from faceclust.people.similarity import GroupDistances
from faceclust.types import SCATTER_SHARE
from tests.cluster.test_group import make_table
from tests.support.people_builders import make_clustering


def test_distances_are_pairwise_means_less_scatter_plus_offsets() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(10, 6))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    faces = make_table(points)
    ids = faces.face_ids.tolist()
    groups = {1: [0, 1, 2], 2: [3, 4, 5, 6]}
    labels = {face: next((number for number, rows in groups.items() if i in rows), -1) for i, face in enumerate(ids)}
    offsets = rng.normal(size=10) / 10
    distances = GroupDistances(faces, make_clustering(labels), offsets)
    pairs = ((points[:, None] - points[None]) ** 2).sum(axis=2) + offsets[:, None] + offsets[None]

    def scatter(rows: list[int]) -> float:
        return SCATTER_SHARE * float(((points[rows] - points[rows].mean(axis=0)) ** 2).sum(axis=1).mean())

    def expected(rows: list[int], others: list[int]) -> float:
        return float(pairs[np.ix_(rows, others)].mean()) - scatter(rows) - scatter(others)

    units = [[7], [8, 9], groups[1]]
    found = distances.nearest_groups([tuple(ids[row] for row in unit) for unit in units])
    for unit, numbers, values in zip(units, *(rows.tolist() for rows in found), strict=True):
        wanted = sorted((expected(unit, rows), number) for number, rows in groups.items() if rows != unit)
        assert numbers[: len(wanted)] == [number for _, number in wanted]
        np.testing.assert_allclose(values[: len(wanted)], [value for value, _ in wanted], atol=1e-5)
    single = distances.face_distances([(ids[8], ids[9])], [ids[0], ids[7]])
    np.testing.assert_allclose(single, [[expected([8, 9], [0]), expected([8, 9], [7])]], atol=1e-5)


def test_a_face_in_crowded_surroundings_is_more_probably_an_outlier() -> None:
    points = np.eye(8)[[0, 0, 0, 0, 1, 1, 1]] + 0.35 * np.random.default_rng(1).normal(size=(7, 8))
    faces = make_table(points / np.linalg.norm(points, axis=1, keepdims=True))
    ids = faces.face_ids.tolist()
    clustering = make_clustering({face: 1 if i < 4 else 2 for i, face in enumerate(ids)})
    offsets = np.zeros(7)
    plain = GroupDistances(faces, clustering, offsets).outlier_probabilities(ids[:1])[ids[0]]
    offsets[0] = 0.25
    assert GroupDistances(faces, clustering, offsets).outlier_probabilities(ids[:1])[ids[0]] > plain
