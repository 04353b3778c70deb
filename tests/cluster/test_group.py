from __future__ import annotations

import numpy as np
import pytest

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import group_faces, membership_strength
from faceclust.cluster.labels import sum_groups
from faceclust.cluster.numbering import number_groups
from faceclust.errors import UsageError
from faceclust.types import ClusterParams, FaceTable


def make_table(points: np.ndarray, ids: list[str] | None = None) -> FaceTable:
    n = len(points)
    return FaceTable(
        face_ids=np.array(ids or [f"{i:016x}" for i in range(n)]),
        photo_ids=np.array([f"photo {i}" for i in range(n)]),
        embeddings=points.astype(np.float32),
        quality=np.ones(n, np.float32),
        taken_at=np.full(n, "NaT", "datetime64[s]"),
        boxes=np.tile(np.float32([0.1, 0.1, 0.4, 0.5]), (n, 1)),
        shots=np.full((n, 2), -1),
    )


def test_groups_are_numbered_by_size_then_first_face() -> None:
    clusters = np.array([0, 1, 2, 1, 2, 5, 6, 6, 6])
    assert number_groups(clusters, 2).tolist() == [-1, 2, 3, 2, 3, -1, 1, 1, 1]
    assert number_groups(clusters, 3).tolist() == [-1, -1, -1, -1, -1, -1, 1, 1, 1]
    assert number_groups(clusters[:0], 2).tolist() == []


def test_strength_follows_its_definition() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 5))
    points = (3 * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    clusters = np.array([0, 0, 0, 3, 3, 5])
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    expected = [1 - (squared[0, 1] + squared[0, 2]) / 2 / 18, 1 - squared[3, 4] / 18]
    found = membership_strength(points, clusters)
    np.testing.assert_allclose(found[[0, 3]], np.clip(expected, 0, 1), atol=1e-5)
    assert found[5] == 0


@pytest.mark.parametrize("algorithm", ["average", "complete", "single", "hdbscan"])
def test_every_algorithm_finds_two_well_separated_people(algorithm: str) -> None:
    rng = np.random.default_rng(1)
    points = np.repeat(np.eye(8)[:2] * 3, [6, 4], axis=0) + 0.05 * rng.normal(size=(10, 8))
    found = group_faces(make_table(points), ClusterParams(algorithm, 1.1, 2), Constraints()).clustering
    assert found.labels.tolist() == [1] * 6 + [2] * 4


def test_invalid_parameters_are_refused() -> None:
    faces = make_table(np.eye(3))
    for params in (
        ClusterParams("kmeans"),
        ClusterParams(threshold=0),
        ClusterParams(threshold=float("nan")),
        ClusterParams(min_size=0),
    ):
        with pytest.raises(UsageError):
            group_faces(faces, params, Constraints())


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_sums_of_groups_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    rng = np.random.default_rng(chunk)
    points = rng.normal(size=(300, 5)).astype(np.float32)
    clusters = rng.permutation(np.repeat(rng.permutation(300)[:40], np.append(rng.integers(1, 4, 39), 300))[:300])
    expected = np.zeros((300, 5))
    np.add.at(expected, clusters, points)  # in the order of the faces
    monkeypatch.setattr("faceclust.cluster.labels._CHUNK", chunk)
    found = np.zeros((300, 5))
    for groups in sum_groups(points, clusters):
        assert len(groups.sizes) == 1 or len(groups.faces) <= chunk
        found[clusters[groups.faces]] = groups.sums[groups.group]
        own = points.astype(np.float64)
        for face in groups.faces[:2].tolist():
            others = np.flatnonzero((clusters == clusters[face]) & (np.arange(300) != face))
            mean = ((own[others] - own[face]) ** 2).sum(axis=1).mean()
            strength = membership_strength(points, clusters)[face]
            assert strength == pytest.approx(np.clip(1 - mean / (2 * (own[face] ** 2).sum()), 0, 1), abs=1e-6)
    alone = np.bincount(clusters, minlength=300)[clusters] == 1
    assert (found[clusters[~alone]] == expected[clusters[~alone]]).all()
    assert not membership_strength(points, clusters)[alone].any()


def test_an_invalid_face_table_is_refused() -> None:
    with pytest.raises(ValueError, match="ascending order"):
        make_table(np.eye(2), ["b", "a"])
    with pytest.raises(ValueError, match="photo_ids"):
        FaceTable(
            np.array(["a"]),
            np.array([]),
            np.ones((1, 2), np.float32),
            np.ones(1, np.float32),
            np.array(["NaT"], "datetime64[s]"),
            np.ones((1, 4), np.float32),
            np.ones((1, 2), np.int64),
        )
