"""Every linkage against SciPy, and with constraints against a search through all pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from faceclust.cluster import neighbours
from faceclust.cluster.average import average_linkage
from faceclust.cluster.constraints import Constraints, one_person_a_photo
from faceclust.cluster.density import hdbscan_groups
from faceclust.cluster.threshold_graph import complete_linkage, single_linkage

METHODS: dict[str, Callable[..., np.ndarray]] = {
    "average": average_linkage,
    "complete": complete_linkage,
    "single": single_linkage,
}


def canonical(labels: np.ndarray) -> list[int]:
    """Each label as the position of its first member."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first[inverse].tolist()


def clustered_points(seed: int, n: int, d: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, n // 6), d))
    return (centres[rng.integers(0, len(centres), n)] + spread * rng.normal(size=(n, d))).astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)),
    seed=st.integers(0, 10**6),
    n=st.integers(2, 200),
    d=st.integers(1, 200),
    spread=st.floats(0.01, 1),
    height=st.floats(0, 1),
    duplicates=st.booleans(),
)
def test_equals_scipy(method: str, seed: int, n: int, d: int, spread: float, height: float, duplicates: bool) -> None:
    points = clustered_points(seed, n, d, spread)
    if duplicates:
        points[n // 2 :] = points[: n - n // 2]
    tree = linkage(points.astype(np.float64), method, metric="sqeuclidean")
    threshold = float(np.quantile(tree[:, 2], height)) * 1.0001 + 1e-6
    assume(np.abs(tree[:, 2] - threshold).min() > 1e-9)
    expected = canonical(fcluster(tree, threshold, "distance"))
    assert canonical(METHODS[method](points, threshold)) == expected


@pytest.mark.parametrize("length", [2, 5])
def test_short_lists_change_the_work_not_the_answer(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    points = clustered_points(3, 600, 16, 0.4)
    expected = average_linkage(points, 8.0)
    monkeypatch.setattr(neighbours, "LENGTH", length)
    monkeypatch.setattr("faceclust.cluster.average.LENGTH", length)
    assert average_linkage(points, 8.0).tolist() == expected.tolist()


@pytest.mark.parametrize("rows", [3, 64])
def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    points = clustered_points(4, 300, 8, 0.4)
    expected = average_linkage(points, 4.0)
    monkeypatch.setattr("faceclust.cluster.distances._ROWS", rows)
    monkeypatch.setattr("faceclust.cluster.distances._COLUMNS", 17)
    assert average_linkage(points, 4.0).tolist() == expected.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_input(method: str) -> None:
    cluster = METHODS[method]
    assert cluster(np.empty((0, 4), np.float32), 1.0).tolist() == []
    assert cluster(np.ones((1, 4), np.float32), 1.0).tolist() == [0]
    assert cluster(np.ones((70, 4), np.float32), 1.0).tolist() == [0] * 70
    assert cluster(np.array([[0], [1]], np.float32), 1.0).tolist() == [0, 0]  # merged while the distance is ≤ t
    assert cluster(np.array([[0], [1]], np.float32), 0.999).tolist() == [0, 1]
    assert cluster(np.array([[0], [1], [50]], np.float32), np.inf).tolist() == [0, 0, 0]


def test_many_equal_distances_end_and_are_consistent() -> None:
    # The corners of a grid: nothing but ties.
    points = np.array([(x, y) for x in range(12) for y in range(12)], np.float32)
    for threshold in (0.5, 1.0, 2.5, 40.0):
        labels = average_linkage(points, threshold)
        assert labels.tolist() == average_linkage(points, threshold).tolist()
    assert len(set(average_linkage(points, 0.5).tolist())) == 144
    assert len(set(average_linkage(points, 1000.0).tolist())) == 1


def by_search(points: np.ndarray, threshold: float, constraints: Constraints) -> np.ndarray:
    """Constrained average linkage from its definition: the nearest allowed pair, again and again."""
    distances = ((points[:, None].astype(float) - points[None].astype(float)) ** 2).sum(axis=2)
    members = {i: [i] for i in range(len(points))}
    for group in constraints.must_link:
        first = min(group)
        for other in group:
            if other != first:
                members[first] += members.pop(other)
    held = {
        name: {number for number, group in enumerate(constraints.exclusions) if set(group) & set(faces)}
        for name, faces in members.items()
    }
    while True:
        pairs = [
            (distances[np.ix_(members[a], members[b])].mean(), a, b)
            for a in members
            for b in members
            if a < b and not held[a] & held[b]
        ]
        if not pairs or min(pairs)[0] > threshold:
            break
        _, a, b = min(pairs)
        members[a] += members.pop(b)
        held[a] |= held.pop(b)
    labels = np.empty(len(points), np.int64)
    for name, faces in members.items():
        labels[faces] = min(faces) if name not in faces else name
    return labels


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 40),
    d=st.integers(1, 6),
    threshold=st.one_of(st.floats(0.1, 8), st.just(np.inf)),
    linked=st.booleans(),
)
def test_constraints_equal_a_full_search(seed: int, n: int, d: int, threshold: float, linked: bool) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d)).astype(np.float32)
    photos = np.array([str(photo) for photo in rng.integers(0, max(2, n // 2), n)])
    links: Sequence[np.ndarray] = [rng.permutation(n)[:3].astype(np.int64)] if linked and n > 6 else []
    constraints = Constraints(links, one_person_a_photo(photos))
    expected = canonical(by_search(points, threshold, constraints))
    assert canonical(average_linkage(points, threshold, constraints)) == expected


@pytest.mark.parametrize("method", [*METHODS, "hdbscan"])
def test_two_faces_of_a_photo_never_share_a_group(method: str) -> None:
    points = clustered_points(8, 400, 12, 0.3)
    photos = np.array([str(i // 3) for i in range(400)])
    constraints = Constraints(exclusions=one_person_a_photo(photos))
    if method == "hdbscan":
        labels = hdbscan_groups(points, 2, constraints)
    else:
        labels = METHODS[method](points, 6.0, constraints)
    pairs = list(zip(labels.tolist(), photos.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert len(set(labels.tolist())) < 250


@pytest.mark.parametrize("method", [*METHODS, "hdbscan"])
def test_must_links_hold_even_across_a_photo(method: str) -> None:
    points = clustered_points(9, 100, 12, 0.1)
    links = [np.array([5, 50, 99]), np.array([1, 2])]
    constraints = Constraints(links, [np.array([1, 2, 5])])
    if method == "hdbscan":
        labels = hdbscan_groups(points, 2, constraints)
    else:
        labels = METHODS[method](points, 1e-3, constraints)
    assert labels[5] == labels[50] == labels[99] != labels[1] == labels[2]


def test_hdbscan_is_the_librarys_answer_where_nothing_constrains_it() -> None:
    from hdbscan import HDBSCAN

    points = clustered_points(2, 300, 10, 0.2)
    expected = HDBSCAN(min_cluster_size=3, min_samples=1, approx_min_span_tree=False).fit_predict(points.astype(float))
    noise = expected < 0
    expected[noise] = expected.max() + 1 + np.arange(noise.sum())
    assert canonical(hdbscan_groups(points, 3)) == canonical(expected)
