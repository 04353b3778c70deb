"""Every linkage equals SciPy's, and with constraints an exhaustive search."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from faceclust.cluster import nearest_lists
from faceclust.cluster.blocked_pairs import triangle_progress
from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.pair_engine import Comparison, ThreadEngine
from faceclust.types import Indices
from tests.benchmarks.synthetic import synthetic_faces

METHODS = ("average", "complete", "single")


def canonicalise(labels: np.ndarray) -> list[int]:
    """Rename each label to the position of its first member."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first[inverse].tolist()


def clustered_points(seed: int, n: int, d: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, n // 6), d))
    return (centres[rng.integers(0, len(centres), n)] + spread * rng.normal(size=(n, d))).astype(np.float32)


def check_against_scipy(method: str, points: np.ndarray, height: float, beside: float) -> bool:
    """Compare with SciPy; return False if a merge is so close to the cut that SciPy's rounding decides.

    `height` (0 to 1) selects one of the tree's merges. The cut is at its distance plus `beside` times
    the largest distance.
    """
    tree = linkage(points.astype(np.float64), method, metric="sqeuclidean")
    heights = np.sort(tree[:, 2])
    scale = max(heights[-1], 1e-30)
    threshold = float(heights[round(height * (len(heights) - 1))]) + beside * scale
    away = np.abs(heights - threshold)
    if threshold < 0 or ((away < 1e-10 * scale) & (away > 1e-13 * scale)).any():
        return False
    expected = canonicalise(fcluster(tree, threshold + 1e-12 * scale, "distance"))
    assert canonicalise(agglomerate(points, threshold, method)) == expected
    return True


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(
    method=st.sampled_from(["average", "average", *METHODS]),
    seed=st.integers(0, 10**6),
    n=st.integers(2, 400),
    d=st.one_of(st.integers(1, 8), st.integers(1, 512)),
    spread=st.floats(0.01, 1),
    height=st.floats(0, 1),
    beside=st.sampled_from([0.0, 1e-9, -1e-9, 1e-4, -1e-4]),
    duplicates=st.booleans(),
)
def test_clusters_equal_scipys(
    method: str, seed: int, n: int, d: int, spread: float, height: float, beside: float, duplicates: bool
) -> None:
    points = clustered_points(seed, n, d, spread)
    if duplicates:
        points[n // 2 :] = points[: n - n // 2]
    assume(check_against_scipy(method, points, height, beside))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_clusters_equal_scipys_on_thousands_of_points_in_many_tiles(method: str) -> None:
    assert check_against_scipy(method, clustered_points(11, 2500, 32, 0.7), 0.8, 1e-6)


def exact_average_linkage(points: np.ndarray, threshold: Fraction, constraints: Constraints) -> list[int]:
    """Average linkage of points with integer coordinates, in exact fractions: merge the nearest allowed
    pair, ties by the smallest names, until none is within the threshold."""
    members = {i: [i] for i in range(len(points))}
    for group in constraints.must_link:
        for other in sorted(group.tolist())[1:]:
            members[int(group.min())] += members.pop(other)
    squared = ((points[:, None].astype(int) - points[None].astype(int)) ** 2).sum(axis=2)
    exclusions_of = {
        name: {k for k, group in enumerate(constraints.exclusions) if set(group.tolist()) & set(faces)}
        for name, faces in members.items()
    }

    def distance(a: int, b: int) -> Fraction:
        return Fraction(int(squared[np.ix_(members[a], members[b])].sum()), len(members[a]) * len(members[b]))

    distances = {(a, b): distance(a, b) for a in members for b in members if a < b}
    while True:
        allowed = [
            (d, a, b) for (a, b), d in distances.items() if d <= threshold and not exclusions_of[a] & exclusions_of[b]
        ]
        if not allowed:
            break
        _, a, b = min(allowed)
        members[a] += members.pop(b)
        exclusions_of[a] |= exclusions_of.pop(b)
        distances = {pair: d for pair, d in distances.items() if not {a, b} & set(pair)}
        distances |= {(min(a, c), max(a, c)): distance(a, c) for c in members if c != a}
    labels = np.empty(len(points), np.int64)
    for name, faces in members.items():
        labels[faces] = name
    return canonicalise(labels)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data(), n=st.integers(2, 30), d=st.integers(1, 3), side=st.integers(1, 4), constrained=st.booleans())
def test_ties_and_thresholds_equal_to_a_distance_are_exact(
    data: st.DataObject, n: int, d: int, side: int, constrained: bool
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    points = rng.integers(-side, side + 1, (n, d)).astype(np.float32)
    constraints = Constraints()
    if constrained:
        links = [np.sort(rng.permutation(n)[:3]).astype(np.int64)] if n > 6 else []
        constraints = Constraints(links, same_photo_exclusions(np.array([str(i) for i in rng.integers(0, n, n)])))
    threshold = Fraction(data.draw(st.integers(0, 4 * d * side * side)), data.draw(st.integers(1, 3)))
    expected = exact_average_linkage(points, threshold, constraints)
    assert canonicalise(agglomerate(points, float(threshold), "average", constraints)) == expected


@pytest.mark.parametrize(("seed", "n", "side"), [(192896, 29, 2), (600398, 15, 2), (67195, 8, 1)])
def test_a_linked_cluster_among_equal_points_merges_in_order(seed: int, n: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(-side, side + 1, (n, 1)).astype(np.float32)
    links = [np.sort(rng.permutation(n)[:3]).astype(np.int64)]
    constraints = Constraints(links, same_photo_exclusions(np.array([str(i) for i in rng.integers(0, n, n)])))
    for threshold in (Fraction(0), Fraction(3, 2)):
        expected = exact_average_linkage(points, threshold, constraints)
        assert canonicalise(agglomerate(points, float(threshold), "average", constraints)) == expected


@settings(max_examples=40, deadline=None)
@given(method=st.sampled_from(METHODS), seed=st.integers(0, 10**6), n=st.integers(2, 300), spread=st.floats(0.1, 1))
def test_the_order_of_the_faces_does_not_matter(method: str, seed: int, n: int, spread: float) -> None:
    points = clustered_points(seed, n, 24, spread)
    order = np.random.default_rng(seed).permutation(n)
    threshold = 24 * spread
    back = np.empty(n, np.int64)
    back[order] = agglomerate(points[order], threshold, method)
    assert canonicalise(back) == canonicalise(agglomerate(points, threshold, method))


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_number_of_threads_does_not_matter(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    points = clustered_points(5, 3000, 24, 0.5)
    expected = agglomerate(points, 12.0)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert agglomerate(points, 12.0).tolist() == expected.tolist()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_list_length_does_not_change_the_clusters(monkeypatch: pytest.MonkeyPatch, method: str, length: int) -> None:
    points = clustered_points(3, 500, 16, 0.4)
    photos = same_photo_exclusions(np.array([str(i // 2) for i in range(500)]))
    expected = agglomerate(points, 8.0, method, Constraints(exclusions=photos))
    monkeypatch.setattr(nearest_lists, "LIST_LENGTH", length)
    monkeypatch.setattr("faceclust.cluster.nearest_clusters.LIST_LENGTH", length)
    assert agglomerate(points, 8.0, method, Constraints(exclusions=photos)).tolist() == expected.tolist()


def exact_linkage(points: np.ndarray, threshold: float, method: str, photos: np.ndarray | None) -> np.ndarray:
    """Linkage of points with integer coordinates by definition, ties by the smallest names.

    Integers below 2⁵³ and their quotients are exact enough: equal distances are equal floats.
    """
    x = points.astype(np.int64)
    totals = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    sizes, labels = np.ones(len(x), np.int64), np.arange(len(x))
    excluded = np.eye(len(x), dtype=bool) if photos is None else photos[:, None] == photos
    distances = np.where(excluded | np.tri(len(x), dtype=bool), np.inf, totals)
    while distances.min(initial=np.inf) <= threshold:
        a, b = divmod(int(distances.argmin()), len(x))
        merge = {"average": np.add, "complete": np.maximum}[method]
        totals[a] = totals[:, a] = merge(totals[a], totals[b])
        sizes[a] += sizes[b]
        excluded[a] = excluded[:, a] = excluded[a] | excluded[b]
        labels[labels == b] = a
        row = totals[a] / (sizes[a] * sizes) if method == "average" else totals[a].astype(float)
        row[excluded[a] | (labels != np.arange(len(x)))] = row[a] = np.inf
        distances[b] = distances[:, b] = np.inf
        distances[a, a:], distances[:a, a] = row[a:], row[:a]
    return labels


@pytest.mark.parametrize("length", [1, 3, 24])
@pytest.mark.parametrize("method", ["average", "complete"])
def test_ties_are_exact_for_any_list_length(monkeypatch: pytest.MonkeyPatch, method: str, length: int) -> None:
    monkeypatch.setattr(nearest_lists, "LIST_LENGTH", length)
    monkeypatch.setattr("faceclust.cluster.nearest_clusters.LIST_LENGTH", length)
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        n, d, side = int(rng.integers(60, 150)), int(rng.integers(2, 4)), int(rng.integers(1, 3))
        points = rng.integers(-side, side + 1, (n, d)).astype(np.float32)
        photos = None if seed == 0 else rng.integers(0, n, n)
        limits = Constraints() if photos is None else Constraints(exclusions=same_photo_exclusions(photos))
        expected = exact_linkage(points, 7 / 3, method, photos).tolist()
        assert agglomerate(points, 7 / 3, method, limits).tolist() == expected, seed


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_rebuilt_list_has_the_clusters_that_list_its_own(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    for module in ("nearest_lists", "nearest_clusters"):
        monkeypatch.setattr(f"faceclust.cluster.{module}.LIST_LENGTH", length)
    monkeypatch.setattr("faceclust.cluster.nearest_clusters._MIN_REBUILT", 1)
    monkeypatch.setattr("faceclust.cluster.nearest_clusters._REBUILT_SHARE", 0.01)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        points, photos = rng.integers(-4, 5, (50, 2)).astype(np.float32), rng.integers(0, 30, 50)
        found = agglomerate(points, 20.0, "average", Constraints(exclusions=same_photo_exclusions(photos)))
        assert found.tolist() == exact_linkage(points, 20.0, "average", photos).tolist(), seed


class CountingEngine(ThreadEngine):
    """Counts the pairs that are compared to rebuild lists."""

    rebuilt = 0

    def compare_some(self, means: ClusterMeans, rows: Indices, columns: Indices, *rest: Any) -> Comparison:
        self.rebuilt += len(rows) * len(columns)
        return super().compare_some(means, rows, columns, *rest)


def test_exhausted_lists_are_compared_with_few_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.cluster.nearest_clusters._MIN_REBUILT", 16)
    engine = CountingEngine()
    agglomerate(synthetic_faces(4000, 1).embeddings, 1.1, engine=engine)
    assert 0 < engine.rebuilt < 0.02 * 4000**2 / 2


@pytest.mark.parametrize("name", ["_MIN_ROUNDS", "_CLUSTERS_PER_ROUND", "_CHUNK", "_MIN_REBUILT", "_REBUILT_SHARE"])
def test_when_lists_are_updated_does_not_change_the_clusters(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    points = clustered_points(12, 600, 8, 0.4)
    points[400:] = points[200:400]
    photos = Constraints(exclusions=same_photo_exclusions(np.arange(600) // 3))
    expected = [agglomerate(points, threshold, "average", photos).tolist() for threshold in (1.0, 4.0)]
    module = "nearest_clusters" if "REBUILT" in name else "linkage"
    for value in (1, 10**6):
        monkeypatch.setattr(f"faceclust.cluster.{module}.{name}", value)
        found = [agglomerate(points, threshold, "average", photos).tolist() for threshold in (1.0, 4.0)]
        assert found == expected


@pytest.mark.parametrize("rows", [3, 64])
def test_tile_and_chunk_sizes_do_not_change_the_clusters(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    points = clustered_points(4, 300, 8, 0.4)
    photos = Constraints(exclusions=same_photo_exclusions(np.array([str(i // 20) for i in range(300)])))
    expected = agglomerate(points, 4.0, "average", photos)
    monkeypatch.setattr("faceclust.cluster.blocked_pairs._TILE_ROWS", rows)
    monkeypatch.setattr("faceclust.cluster.blocked_pairs._TILE_COLUMNS", 17)
    monkeypatch.setattr("faceclust.cluster.nearest_lists._CHUNK", 50)
    monkeypatch.setattr("faceclust.cluster.nearest_clusters._CHUNK", 7)
    monkeypatch.setattr("faceclust.cluster.constraints._MIN_BLOCK_PAIRS", 10)
    assert agglomerate(points, 4.0, "average", photos).tolist() == expected.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_input(method: str) -> None:
    def cluster(points: np.ndarray, threshold: float) -> list[int]:
        return agglomerate(points.astype(np.float32), threshold, method).tolist()

    assert cluster(np.empty((0, 4)), 1.0) == []
    assert cluster(np.ones((1, 4)), 1.0) == [0]
    assert cluster(np.ones((70, 4)), 1.0) == [0] * 70
    assert cluster(np.zeros((70, 4)), 1.0) == [0] * 70
    assert cluster(np.array([[0], [1]]), 1.0) == [0, 0]  # merge if the distance is ≤ the threshold
    assert cluster(np.array([[0], [1]]), 0.999) == [0, 1]
    assert cluster(np.array([[0], [1], [50]]), np.inf) == [0, 0, 0]
    assert cluster(np.array([[1000.1], [1000.2], [1000.7]]), 0.011) == [0, 0, 2]


def exhaustive_linkage(points: np.ndarray, threshold: float, method: str, constraints: Constraints) -> np.ndarray:
    """Constrained linkage by definition: merge the nearest allowed pair until none is within the threshold."""
    between = {"average": np.mean, "complete": np.max, "single": np.min}[method]
    distances = ((points[:, None].astype(float) - points[None].astype(float)) ** 2).sum(axis=2)
    members = {i: [i] for i in range(len(points))}
    for group in constraints.must_link:
        first = min(group)
        for other in group:
            if other != first:
                members[first] += members.pop(other)
    exclusions_of = {
        name: {number for number, group in enumerate(constraints.exclusions) if set(group) & set(faces)}
        for name, faces in members.items()
    }
    while True:
        pairs = [
            (between(distances[np.ix_(members[a], members[b])]), a, b)
            for a in members
            for b in members
            if a < b and not exclusions_of[a] & exclusions_of[b]
        ]
        if not pairs or min(pairs)[0] > threshold:
            break
        _, a, b = min(pairs)
        members[a] += members.pop(b)
        exclusions_of[a] |= exclusions_of.pop(b)
    labels = np.empty(len(points), np.int64)
    for name, faces in members.items():
        labels[faces] = min(faces) if name not in faces else name
    return labels


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 10**6),
    n=st.integers(2, 40),
    d=st.integers(1, 6),
    threshold=st.one_of(st.floats(0.1, 8), st.just(np.inf)),
    linked=st.booleans(),
)
def test_constrained_clusters_equal_an_exhaustive_search(
    method: str, seed: int, n: int, d: int, threshold: float, linked: bool
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d)).astype(np.float32)
    photos = np.array([str(photo) for photo in rng.integers(0, max(2, n // 2), n)])
    links: Sequence[np.ndarray] = [rng.permutation(n)[:3].astype(np.int64)] if linked and n > 6 else []
    constraints = Constraints(links, same_photo_exclusions(photos))
    expected = canonicalise(exhaustive_linkage(points, threshold, method, constraints))
    assert canonicalise(agglomerate(points, threshold, method, constraints)) == expected


@pytest.mark.parametrize("method", METHODS)
def test_two_faces_of_a_photo_never_share_a_group(method: str) -> None:
    points = clustered_points(8, 400, 12, 0.3)
    photos = np.array([str(i // 3) for i in range(400)])
    constraints = Constraints(exclusions=same_photo_exclusions(photos))
    labels = agglomerate(points, 6.0, method, constraints)
    pairs = list(zip(labels.tolist(), photos.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert len(set(labels.tolist())) < 250


@pytest.mark.parametrize("method", METHODS)
def test_must_links_hold_even_across_a_photo(method: str) -> None:
    points = clustered_points(9, 100, 12, 0.1)
    links = [np.array([5, 50, 99]), np.array([1, 2])]
    constraints = Constraints(links, [np.array([1, 2, 5])])
    labels = agglomerate(points, 1e-3, method, constraints)
    assert labels[5] == labels[50] == labels[99] != labels[1] == labels[2]


@pytest.mark.parametrize("method", METHODS)
def test_must_links_of_one_face_change_nothing(method: str) -> None:
    points = np.array([[0], [1], [9]], np.float32)
    links = Constraints([np.array([face]) for face in range(3)])
    assert agglomerate(points, 2.0, method, links).tolist() == [0, 0, 2]


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("method", METHODS)
def test_equal_points_that_exclude_each_other_merge_in_order(method: str, zero: float) -> None:
    points = np.array([[0, 1], [zero, 1], [0, 1], [0, -1]], np.float32)
    assert agglomerate(points, 1.0, method, Constraints((), [np.array([1, 2])])).tolist() == [0, 0, 2, 3]


def test_offsets_keep_equal_points_apart() -> None:
    points = np.array([[0], [-1], [-1]], np.float32)
    assert agglomerate(points, 0.5, offsets=np.array([1, 0.5, 0.5])).tolist() == [0, 1, 2]


def test_constraints_restricted_to_a_subset() -> None:
    constraints = Constraints([np.array([1, 5, 7])], [np.array([0, 1, 2]), np.array([5, 6]), np.array([2, 7])])
    within = constraints.restrict_to(np.array([7, 1, 2, 5]))
    assert [group.tolist() for group in within.must_link] == [[1, 3, 0]]
    assert [group.tolist() for group in within.exclusions] == [[1, 2], [2, 0]]
    nothing = constraints.restrict_to(np.array([], np.int64))
    assert not nothing.must_link and not nothing.exclusions


def test_progress_of_a_symmetric_product_is_even() -> None:
    steps: list[int] = []
    on_rows = triangle_progress(steps.append, 1000)
    for _ in range(4):
        on_rows(250)
    assert steps == [438, 312, 188, 62] and sum(steps) == 1000
