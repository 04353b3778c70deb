"""HDBSCAN and its spanning tree equal the `hdbscan` package, SciPy, and Kruskal's algorithm over all pairs."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.density import cluster_hdbscan
from faceclust.cluster.spanning_tree import build_spanning_tree
from faceclust.progress import SilentProgress


def canonicalise(labels: np.ndarray) -> list[int]:
    """Rename each label to the position of its first member; noise faces are alone."""
    noise = labels < 0
    labels = np.where(noise, labels.max() + 1 + np.cumsum(noise), labels)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first[inverse].tolist()


def clustered_points(seed: int, n: int, d: int, spread: float, cluster_size: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, n // cluster_size), d))
    return (centres[rng.integers(0, len(centres), n)] + spread * rng.normal(size=(n, d))).astype(np.float32)


def fit_hdbscan_package(points: np.ndarray, min_size: int, min_samples: int) -> Any:
    from hdbscan import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package uses deprecated parameters of scikit-learn
        model = HDBSCAN(
            min_cluster_size=min_size, min_samples=min_samples, approx_min_span_tree=False, core_dist_n_jobs=1
        )
        return model.fit(points.astype(np.float64))


def compute_reachability(points: np.ndarray, min_samples: int) -> np.ndarray:
    """Return the full matrix of mutual reachability distances."""
    x = points.astype(np.float64)
    distances = np.stack([np.sqrt(((x - one) ** 2).sum(axis=1)) for one in x])
    core = np.sort(distances, axis=1)[:, min(min_samples, len(x) - 1)]  # a point's nearest is itself
    return np.maximum(distances, np.maximum(core[:, None], core))


def edges_by_search(points: np.ndarray, min_samples: int) -> list[tuple[float, int, int]]:
    """Return the edges of Kruskal's algorithm over all pairs; ties by the smaller, then the larger end."""
    matrix = compute_reachability(points, min_samples)
    name = list(range(len(points)))
    pairs = [(float(matrix[i, j]), i, j) for j in name for i in range(j)]
    out = []
    for weight, a, b in sorted(pairs):
        if name[a] != name[b]:
            out.append((weight, a, b))
            name = [name[a] if each == name[b] else each for each in name]
    return out


def check_tree(points: np.ndarray, min_samples: int, weights_only: bool = False) -> None:
    a, b, weight = build_spanning_tree(points, min_samples)
    expected = edges_by_search(points, min_samples)
    assert weight == pytest.approx([w for w, _, _ in expected], rel=1e-12, abs=0)
    assert (a < b).all()
    if not weights_only:
        assert set(zip(a.tolist(), b.tolist(), strict=True)) == {(i, j) for _, i, j in expected}


# -- the spanning tree ---------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 90),
    d=st.integers(2, 40),
    spread=st.floats(0.001, 1),
    cluster_size=st.sampled_from([6, 30, 90]),
    min_samples=st.integers(1, 12),
    length=st.sampled_from([1, 2, 4, 24]),
)
def test_the_tree_equals_kruskals_over_all_pairs(
    seed: int, n: int, d: int, spread: float, cluster_size: int, min_samples: int, length: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceclust.cluster.spanning_tree.LIST_LENGTH", length)
        patch.setattr("faceclust.cluster.nearest_lists.LIST_LENGTH", length)
        check_tree(clustered_points(seed, n, d, spread, cluster_size), min_samples)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 90),
    d=st.integers(1, 3),
    side=st.integers(0, 6),
    min_samples=st.integers(1, 8),
    length=st.sampled_from([1, 3, 24]),
)
def test_ties_are_resolved_by_the_smallest_ends_and_copies_join_the_first(
    seed: int, n: int, d: int, side: int, min_samples: int, length: int
) -> None:
    points = np.random.default_rng(seed).integers(-side, side + 1, (n, d)).astype(np.float32)
    copies = len(np.unique(points, axis=0)) < n
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceclust.cluster.spanning_tree.LIST_LENGTH", length)
        patch.setattr("faceclust.cluster.nearest_lists.LIST_LENGTH", length)
        # With copies and core distances, several trees have the same weights.
        check_tree(points, min_samples, weights_only=copies and min_samples > 1)


@pytest.mark.parametrize("min_samples", [1, 2, 30])
def test_points_that_float32_cannot_separate(min_samples: int) -> None:
    """Groups of more near copies than a list holds, and one point so far away that float32
    cannot separate any of the others."""
    rng = np.random.default_rng(4)
    points = np.repeat(rng.normal(size=(3, 12)), 40, axis=0) + 1e-5 * rng.normal(size=(120, 12))
    check_tree(points.astype(np.float32), min_samples)
    points = clustered_points(6, 120, 12, 0.3)
    points[7] = 1e5
    check_tree(points, min_samples)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "min_samples"), [(8, 1), (128, 1), (128, 4)])
def test_the_weights_equal_scipys_on_thousands_of_points(d: int, min_samples: int) -> None:
    points = clustered_points(11, 2600, d, 0.5, 60)
    expected = np.sort(minimum_spanning_tree(compute_reachability(points, min_samples)).data)
    a, b, weight = build_spanning_tree(points, min_samples)
    assert weight.tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    assert len(np.unique(a * len(points) + b)) == len(points) - 1


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_and_tile_sizes_do_not_change_the_tree(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    points = clustered_points(5, 700, 10, 0.1, 80)
    expected = [part.tolist() for part in build_spanning_tree(points, 3)]
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    monkeypatch.setattr("faceclust.cluster.blocked_pairs._TILE_ROWS", 37)
    monkeypatch.setattr("faceclust.cluster.blocked_pairs._TILE_COLUMNS", 90)
    monkeypatch.setattr("faceclust.cluster.spanning_tree._CHUNK", 11)
    assert [part.tolist() for part in build_spanning_tree(points, 3)] == expected


# -- groups ----------------------------------------------------------------------------


def test_the_private_functions_of_the_package_exist() -> None:
    """If a new version fails here, check whether its public interface accepts a spanning tree."""
    from hdbscan._hdbscan_linkage import label
    from hdbscan.hdbscan_ import _tree_to_labels

    chain = np.array([[0, 1, 1.0], [1, 2, 1.0], [3, 4, 1.0], [4, 5, 1.0], [2, 3, 9.0]])
    assert _tree_to_labels(None, label(chain), 3)[0].tolist() == [0, 0, 0, 1, 1, 1]


def test_the_version_of_the_package_has_an_upper_bound() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = [line for line in project["dependencies"] if line.startswith("hdbscan")]
    assert "<" in requirement


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 400),
    # In one dimension distances of float32 numbers are often equal. The package switches algorithms at
    # 60 dimensions.
    d=st.one_of(st.integers(2, 8), st.integers(2, 140)),
    spread=st.floats(0.01, 1),
    cluster_size=st.sampled_from([6, 20, 80]),
    min_size=st.integers(2, 9),
)
def test_equals_the_package(seed: int, n: int, d: int, spread: float, cluster_size: int, min_size: int) -> None:
    points = clustered_points(seed, n, d, spread, cluster_size)
    expected = fit_hdbscan_package(points, min_size, 1).labels_ if n > min_size else np.full(n, -1)
    assert cluster_hdbscan(points, min_size).tolist() == canonicalise(expected)


@pytest.mark.slow
def test_clusters_equal_those_of_the_package_on_thousands_of_points() -> None:
    points = clustered_points(12, 4000, 96, 0.6, 90)
    groups = cluster_hdbscan(points, 3)
    assert groups.tolist() == canonicalise(fit_hdbscan_package(points, 3, 1).labels_)
    assert 20 < len(np.unique(groups)) < 1000


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(10, 300),
    d=st.sampled_from([2, 5, 30, 61, 128]),
    spread=st.floats(0.01, 1),
    min_size=st.integers(2, 6),
    min_samples=st.integers(2, 9),
)
def test_core_distances_equal_those_of_the_package(
    seed: int, n: int, d: int, spread: float, min_size: int, min_samples: int
) -> None:
    """Several edges may equal one core distance. Then there are several minimum spanning trees with
    different groups at that height, but all have the same heights."""
    points = clustered_points(seed, n, d, spread, 20)
    heights = fit_hdbscan_package(points, min_size, min_samples).single_linkage_tree_.to_numpy()[:, 2]
    assert build_spanning_tree(points, min_samples)[2].tolist() == pytest.approx(heights.tolist(), rel=1e-9)


def test_with_core_distances_nearly_all_clusters_equal_those_of_the_package() -> None:
    points = clustered_points(3, 1500, 64, 0.4, 30)
    groups = cluster_hdbscan(points, 4, 5)
    same = groups == np.array(canonicalise(fit_hdbscan_package(points, 4, 5).labels_))
    assert same.mean() > 0.97


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(10, 200),
    d=st.integers(2, 90),
    min_size=st.integers(2, 6),
    min_samples=st.integers(1, 4),
)
def test_copies_of_a_face_share_its_cluster(seed: int, n: int, d: int, min_size: int, min_samples: int) -> None:
    rng = np.random.default_rng(seed)
    points = clustered_points(seed, n, d, 0.3)[rng.integers(0, n, n)]
    groups = cluster_hdbscan(points, min_size, min_samples)
    sizes = np.bincount(groups, minlength=n)
    assert all(size == 0 or size == 1 or size >= min_size for size in sizes.tolist())
    kinds = np.unique(points, axis=0, return_inverse=True)[1].ravel()
    for kind in range(kinds.max() + 1):
        copies = np.flatnonzero(kinds == kind)
        assert len(set(groups[copies].tolist())) == 1 or groups[copies].tolist() == copies.tolist()
    if min_samples == 1:
        assert groups.tolist() == canonicalise(
            fit_hdbscan_package(points, min_size, 1).labels_ if n > min_size else np.full(n, -1)
        )


def test_more_copies_than_a_list_holds() -> None:
    points = np.repeat(np.eye(8, dtype=np.float32)[:4], 50, axis=0)
    for min_samples in (1, 5, 49):
        assert cluster_hdbscan(points, 3, min_samples).tolist() == np.repeat([0, 50, 100, 150], 50).tolist()


@pytest.mark.parametrize("min_samples", [1, 3])
def test_degenerate_input(min_samples: int) -> None:
    def groups(points: np.ndarray, min_size: int) -> list[int]:
        return cluster_hdbscan(points.astype(np.float32), min_size, min_samples).tolist()

    for min_size in (1, 2, 3, 100):
        assert groups(np.empty((0, 4)), min_size) == []
        assert groups(np.ones((1, 4)), min_size) == [0]
        assert groups(np.ones((2, 4)), min_size) == [0, 1]
        assert groups(np.eye(3), min_size) == [0, 1, 2]
        # Equal density everywhere means that nothing is a dense cluster.
        assert groups(np.ones((70, 4)), min_size) == list(range(70))
        assert groups(np.zeros((70, 4)), min_size) == list(range(70))
    assert groups(np.repeat([[0.0], [0.125], [9], [9.25]], 3, axis=0), 6) == [0] * 6 + [6] * 6


def test_groups_have_at_least_two_faces_and_the_minimum_size() -> None:
    points = clustered_points(1, 300, 10, 0.2)
    assert cluster_hdbscan(points, 1).tolist() == cluster_hdbscan(points, 2).tolist()
    counts = np.unique(np.unique(cluster_hdbscan(points, 5), return_counts=True)[1])
    assert counts[counts > 1].min() >= 5


def test_progress_counts_every_face() -> None:
    class RecordedProgress(SilentProgress):
        def __init__(self) -> None:
            self.stages: list[list[Any]] = []
            self.open = 0

        def start(self, stage: str, total: int | None, unit: str = "") -> None:
            self.stages.append([stage, total, 0])
            self.open += 1

        def advance(self, steps: int = 1, **counts: int) -> None:
            self.stages[-1][2] += steps

        def finish(self) -> None:
            self.open -= 1

    recorded = RecordedProgress()
    cluster_hdbscan(clustered_points(2, 900, 16, 0.1, 90), 3, progress=recorded)
    assert recorded.stages[0] == ["comparing faces", 900, 900]
    assert len(recorded.stages) > 1
    assert all(total == done for _, total, done in recorded.stages)
    assert recorded.open == 0


# -- constraints ------------------------------------------------------------------------


def test_two_faces_of_a_photo_never_share_a_group() -> None:
    points = clustered_points(8, 400, 12, 0.3)
    photos = np.array([str(i // 3) for i in range(400)])
    labels = cluster_hdbscan(points, 2, constraints=Constraints(exclusions=same_photo_exclusions(photos)))
    pairs = list(zip(labels.tolist(), photos.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert len(set(labels.tolist())) < 250


def test_must_links_hold_even_across_a_photo() -> None:
    points = clustered_points(9, 100, 12, 0.1)
    links = [np.array([5, 50, 99]), np.array([1, 2])]
    labels = cluster_hdbscan(points, 2, constraints=Constraints(links, [np.array([1, 2, 5])]))
    assert labels[5] == labels[50] == labels[99] != labels[1] == labels[2]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 120), min_size=st.integers(2, 5), spread=st.floats(0.01, 1))
def test_constraints_always_hold(seed: int, n: int, min_size: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    points = clustered_points(seed, n, 6, spread)
    link = np.sort(rng.permutation(n)[:3]).astype(np.int64)
    photos = np.array([str(photo) for photo in rng.integers(0, n, n)])
    photos[link] = ["a", "b", "c"][: len(link)]
    labels = cluster_hdbscan(points, min_size, constraints=Constraints([link], same_photo_exclusions(photos)))
    assert len(set(labels[link].tolist())) == 1
    pairs = list(zip(labels.tolist(), photos.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert labels.tolist() == canonicalise(labels)
