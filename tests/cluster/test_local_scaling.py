"""Local scaling: crowding and the third pass equal their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster import local_scaling
from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.group import group_faces
from faceclust.cluster.local_scaling import NEIGHBOUR_GROUPS, Surroundings
from faceclust.cluster.three_passes import cluster_in_three_passes
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.types import SCATTER_SHARE, Clustering, ClusterParams, scale_crowding
from tests.benchmarks.synthetic import face_table
from tests.cluster.test_linkage import canonicalise, clustered_points

PARAMS = ClusterParams()
Merge = tuple[list[int], list[int]]


def unit_points(seed: int, n: int, d: int, spread: float) -> np.ndarray:
    """Points in clusters, on the unit sphere."""
    points = clustered_points(seed, n, d, spread) + np.float32(0.1)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


def crowding_by_definition(points: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The mean similarity to the nearest faces that stand for other groups; slow."""
    groups = [np.flatnonzero(clusters == name) for name in np.unique(clusters)]
    x = points.astype(float)
    nearest = [group[((x[group] - x[group].mean(axis=0)) ** 2).sum(axis=1).argmin()] for group in groups]
    crowding = np.empty(len(points))
    for face in range(len(points)):
        others = [x[face] @ x[other] for other in nearest if clusters[other] != clusters[face]]
        crowding[face] = sum(sorted(others, reverse=True)[:NEIGHBOUR_GROUPS]) / NEIGHBOUR_GROUPS
    return crowding


def link_by_definition(
    distances: np.ndarray, groups: list[list[int]], threshold: float, exclusions: list[np.ndarray]
) -> tuple[list[list[int]], list[Merge]]:
    """Average linkage over all pairs, the nearest pair first; returns the clusters and the merges. Slow."""
    groups, merges = [list(group) for group in groups], list[Merge]()
    while True:
        pairs = [
            (distances[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups[:i])
            if not any(np.isin(e, a).any() and np.isin(e, b).any() for e in exclusions)
        ]
        if not pairs or min(pairs)[0] > threshold:
            return groups, merges
        _, i, j = min(pairs)
        merges.append((groups[i], groups[j]))
        groups[j] = groups[j] + groups[i]
        del groups[i]


def three_passes_by_definition(points: np.ndarray, params: ClusterParams, exclusions: list[np.ndarray]) -> list[int]:
    """Undo each merge of the first pass that is above the threshold by scaled distance, or contains one; then join."""
    x, n, threshold = points.astype(float), len(points), params.threshold
    plain = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    first, merges = link_by_definition(plain, [[i] for i in range(n)], threshold, exclusions)
    two, _ = link_by_definition(subtract_scatter(x, plain, first), first, threshold, exclusions)
    crowding = crowding_by_definition(points, label(two, n)).astype(np.float32)
    offsets = scale_crowding(crowding, float(np.median(crowding)), params)
    scaled = plain + offsets[:, None] + offsets[None]
    kept = {(i,) for i in range(n)}
    for a, b in merges:
        parts = {tuple(sorted(a)), tuple(sorted(b))}
        if parts <= kept and scaled[np.ix_(a, b)].mean() <= threshold:
            kept = (kept - parts) | {tuple(sorted(a + b))}
    remaining = [list(group) for group in sorted(kept)]
    joined, _ = link_by_definition(subtract_scatter(x, scaled, remaining), remaining, threshold, exclusions)
    return canonicalise(label(joined, n))


def subtract_scatter(x: np.ndarray, distances: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    scatter = np.zeros(len(x))
    for group in groups:
        scatter[group] = ((x[group] - x[group].mean(axis=0)) ** 2).sum(axis=1).mean()
    return distances - SCATTER_SHARE * (scatter[:, None] + scatter[None])


def label(groups: list[list[int]], n: int) -> np.ndarray:
    labels = np.empty(n, np.int64)
    for group in groups:
        labels[group] = min(group)
    return labels


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_the_faces_that_stand_for_groups_do_not_depend_on_the_chunk(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    rng = np.random.default_rng(7)
    points, clusters = unit_points(7, 400, 12, 0.3), rng.integers(0, 120, 400) * rng.integers(0, 2, 400)
    expected = crowding_by_definition(points, clusters)
    monkeypatch.setattr("faceclust.cluster.labels._CHUNK", chunk)
    assert np.abs(Surroundings(points, clusters).crowding - expected).max() < 2e-5


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), d=st.integers(2, 12), groups=st.integers(1, 60))
def test_crowding_equals_its_definition(seed: int, n: int, d: int, groups: int) -> None:
    points = unit_points(seed, n, d, 0.6)
    clusters = np.random.default_rng(seed).integers(0, groups, n)
    found = Surroundings(points, clusters)
    np.testing.assert_allclose(found.crowding, crowding_by_definition(points, clusters), atol=3e-5)
    assert found.median == np.median(found.crowding)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 32),
    d=st.integers(2, 12),
    spread=st.floats(0.2, 0.8),
    weight=st.sampled_from([0.5, 0.75, 2.0]),
)
def test_three_passes_equal_their_definition(seed: int, n: int, d: int, spread: float, weight: float) -> None:
    points = unit_points(seed, n, d, spread)
    exclusions = same_photo_exclusions(np.random.default_rng(seed).integers(0, n, n).astype(str))
    params = ClusterParams(threshold=0.5, local_scaling=weight)
    found, _ = cluster_in_three_passes(points, params, Constraints(exclusions=exclusions))
    assert canonicalise(found) == three_passes_by_definition(points, params, exclusions)


def test_without_local_scaling_there_are_two_passes() -> None:
    points = unit_points(1, 200, 8, 0.5)
    found, surroundings = cluster_in_three_passes(points, ClusterParams(threshold=0.5, local_scaling=0), Constraints())
    assert surroundings is None
    assert found.tolist() == cluster_in_two_passes(points, 0.5, Constraints()).tolist()


def make_crowd(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings (n, 64) of 60 people who look alike and 60 others, four faces each; persons; and who is which."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=64) / 8
    centres = rng.normal(size=(120, 64)) / 8
    centres[:60] = 0.75 * centres[:60] + 0.95 * common
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    persons = np.repeat(np.arange(120), 4)
    points = centres[persons] + rng.normal(size=(480, 64)) * 0.62 / 8
    points *= 1.135 / np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), persons, persons < 60


def test_people_who_look_alike_are_told_apart_and_others_stay_together() -> None:
    points, persons, alike = make_crowd()
    plain = cluster_in_two_passes(points, 1.1, Constraints())
    scaled, surroundings = cluster_in_three_passes(points, PARAMS, Constraints())
    assert surroundings is not None
    assert surroundings.crowding[alike].mean() > surroundings.crowding[~alike].mean() + 0.2
    before, after = (bcubed(found[alike], persons[alike]) for found in (plain, scaled))
    assert after.precision > before.precision + 0.2 and after.f > before.f + 0.1
    others = [bcubed(found[~alike], persons[~alike]).f for found in (plain, scaled)]
    assert others[1] >= others[0] > 0.9


@pytest.mark.parametrize("cohort", [8192, 40])
def test_neither_order_nor_threads_change_the_groups(monkeypatch: pytest.MonkeyPatch, cohort: int) -> None:
    monkeypatch.setattr(local_scaling, "MAX_COHORT", cohort)
    points, _, _ = make_crowd(1)
    expected, surroundings = cluster_in_three_passes(points, PARAMS, Constraints())
    assert surroundings is not None
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    order = np.random.default_rng(2).permutation(len(points))
    found, shuffled = cluster_in_three_passes(points[order], PARAMS, Constraints())
    assert shuffled is not None and shuffled.median == surroundings.median
    np.testing.assert_array_equal(shuffled.crowding, surroundings.crowding[order])
    assert canonicalise(found) == canonicalise(expected[order])


def group(points: np.ndarray, rows: np.ndarray, params: ClusterParams = PARAMS, *history: Clustering) -> Clustering:
    return group_faces(face_table(rows, points[rows], rows), params, Constraints(), history=history).clustering


def test_new_faces_are_measured_against_the_groups_that_are_there() -> None:
    points, _, _ = make_crowd(3)
    everyone, new = np.arange(480), np.arange(0, 480, 40)
    old = np.setdiff1d(everyone, new)
    before = group(points, old)
    after = group(points, everyone, PARAMS, before)
    assert after.median_crowding == before.median_crowding and after.size_at_full_run == len(old)
    np.testing.assert_array_equal(after.crowding[old], before.crowding)
    np.testing.assert_array_equal(after.unscaled_groups[old], before.unscaled_groups)
    assert (after.unscaled_groups[new] == -1).all()
    # Grouping all from scratch forms other groups, but similar ones.
    full = group(points, everyone)
    np.testing.assert_allclose(after.crowding[new], full.crowding[new], atol=0.1)
    assert abs((after.crowding[new] - full.crowding[new]).mean()) < 0.03
    for number in np.unique(before.labels[before.labels >= 0]):
        assert len(set(after.labels[old][before.labels == number])) == 1
    assert len(set(after.labels[old])) == len(set(before.labels))  # nor did any merge


def test_only_a_group_within_the_threshold_is_taken_for_a_new_faces_own() -> None:
    # Left out for somebody new as well, they would seem less crowded than all others, and join too easily.
    points = np.random.default_rng(4).standard_normal((60, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    distances = ((points[:40, None] - points[40:]) ** 2).sum(axis=2)
    threshold = float(np.median(distances.min(axis=0)))
    surroundings = Surroundings(points[:40], np.arange(40))
    similarity = np.sort(points[40:] @ points[:40].T, axis=1)[:, ::-1]
    expected = np.where(distances.min(axis=0) <= threshold, similarity[:, 1:11].mean(1), similarity[:, :10].mean(1))
    np.testing.assert_allclose(surroundings.crowding_of(points[40:], threshold), expected, atol=2e-5)


def test_offsets_are_limited() -> None:
    crowding = np.array([-100, 0.5, 0.5, 0.6, 100], np.float32)
    offsets = scale_crowding(crowding, 0.5, replace(PARAMS, threshold=2.0, local_scaling=1))
    np.testing.assert_allclose(offsets, [-0.2, 0, 0, 0.1, 0.5], atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_crowding_of_few_faces_is_zero(n: int) -> None:
    points = np.ones((n, 3), np.float32)
    found, surroundings = cluster_in_three_passes(points, PARAMS, Constraints())
    assert found.tolist() == [0] * n and surroundings is not None
    assert surroundings.crowding.tolist() == [0] * n and surroundings.crowding_of(points, 1.1).tolist() == [0] * n
