"""Byte-equal clusterings from an engine with noise, and other ones from an engine that breaks its contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.group import group_faces
from faceclust.cluster.nearest_lists import LIST_LENGTH
from faceclust.cluster.pair_engine import PairEngine, ThreadEngine
from faceclust.types import Clustering, ClusterParams, FaceTable
from tests.benchmarks.synthetic import face_table, synthetic_faces
from tests.support.noisy_engine import NoisyEngine, count_broken_rows

PARAMS = ClusterParams()
METHODS = ("average", "complete", "single")


@dataclass(frozen=True)
class Case:
    """What is grouped."""

    faces: FaceTable
    constraints: Constraints = field(default_factory=Constraints)
    params: ClusterParams = PARAMS


def table(points: np.ndarray, photo: np.ndarray | None = None) -> FaceTable:
    n = len(points)
    photos = np.arange(n) if photo is None else photo
    return face_table(np.arange(n), np.ascontiguousarray(points, np.float32), photos)


def synthetic(n: int = 700, seed: int = 0, dimension: int = 128) -> Case:
    """Return made-up people, several in a photo."""
    faces = synthetic_faces(n, seed, dimension)
    return Case(
        table(faces.embeddings, faces.photo), Constraints(exclusions=same_photo_exclusions(faces.photo.astype(str)))
    )


def float16_rounded() -> Case:
    case = synthetic(700, 1)
    return replace(case, faces=table(case.faces.embeddings.astype(np.float16)))


def duplicates() -> Case:
    """Return faces of which each occurs one to five times; two of a photo are never the same person."""
    rng = np.random.default_rng(2)
    chosen = np.repeat(np.arange(250), rng.integers(1, 6, 250))
    points = synthetic_faces(250, 2).embeddings[rng.permutation(chosen)]
    return Case(table(points), Constraints(exclusions=same_photo_exclusions((np.arange(len(points)) // 3).astype(str))))


def near_duplicates() -> Case:
    """Return faces whose copies differ by less than float32 can tell, up to what it can: bursts, edited photos."""
    rng = np.random.default_rng(3)
    points = np.repeat(synthetic_faces(130, 3).embeddings, 6, axis=0)
    points += rng.choice([1e-8, 1e-6, 1e-5, 1e-4], (len(points), 1)) * rng.standard_normal(points.shape)
    order = rng.permutation(len(points))
    return Case(table(points[order]), Constraints([np.array([3, 90]), np.array([5, 200, 7])]))


def lattice(seed: int, side: int, dimension: int, threshold: float, scaling: float = 0.0) -> Case:
    """Return points with whole coordinates: most distances are equal to many others."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-side, side + 1, (260, dimension))
    photos = rng.integers(0, 200, len(points))
    exclusions = same_photo_exclusions(photos.astype(str))
    return Case(
        table(points), Constraints(exclusions=exclusions), ClusterParams(threshold=threshold, local_scaling=scaling)
    )


def simplex() -> Case:
    """Return points of which each two are equally far apart."""
    rng = np.random.default_rng(6)
    exclusions = [np.sort(rng.permutation(90)[:3]) for _ in range(30)]
    return Case(table(np.eye(90)), Constraints(exclusions=exclusions), ClusterParams(threshold=2.0))


def tight_people() -> Case:
    """Return people of forty faces each, so that lists fill and are built again."""
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((20, 32)) / np.sqrt(32)
    points = centres[np.arange(800) % 20] + 0.11 * rng.standard_normal((800, 32))
    return Case(table(points / np.linalg.norm(points, axis=1, keepdims=True)))


def surface(axes: int, threshold: float) -> Case:
    """Return points all over a sphere, in 128 dimensions: a point has many neighbours at every distance."""
    rng = np.random.default_rng(8)
    points = rng.standard_normal((800, axes))
    turn = np.linalg.qr(rng.standard_normal((128, axes)))[0].T
    points = points / np.linalg.norm(points, axis=1, keepdims=True) @ turn
    return Case(table(points), params=ClusterParams(threshold=threshold, local_scaling=0.0))


CASES: dict[str, Callable[[], Case]] = {
    "synthetic": synthetic,
    "many dimensions": lambda: synthetic(400, 5, 512),
    "float16": float16_rounded,
    "duplicates": duplicates,
    "near duplicates": near_duplicates,
    "lattice": lambda: lattice(4, 1, 4, 2.0),
    "long lattice": lambda: lattice(5, 3, 2, 5.0),
    "line": lambda: lattice(7, 8, 1, 4.0),
    "scaled lattice": lambda: lattice(6, 1, 5, 3.0, 0.5),
    "simplex": simplex,
    "tight people": tight_people,
    "circle": lambda: surface(2, 0.02),
    "sphere": lambda: surface(3, 0.2),
}


def cluster(case: Case, engine: PairEngine | None = None, method: str = "average") -> Clustering:
    params = replace(case.params, algorithm=method)
    return group_faces(case.faces, params, case.constraints, engine=engine).clustering


def all_bytes(clustering: Clustering) -> dict[str, bytes]:
    """Return everything that is saved of a clustering, to compare it to the last bit."""
    values = {column.name: getattr(clustering, column.name) for column in fields(clustering)}
    return {
        name: np.asarray(value).tobytes() if name != "params" else repr(value).encode()
        for name, value in values.items()
    }


def same(case: Case, engine: NoisyEngine, method: str = "average") -> bool:
    return all_bytes(cluster(case, engine, method)) == all_bytes(cluster(case, method=method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_noise_within_the_bound_order_and_stale_limits_change_nothing(name: str, method: str) -> None:
    case = CASES[name]()
    expected = all_bytes(cluster(case, method=method))
    for seed, block in ((1, 97), (2, 1000)):
        engine = NoisyEngine(seed, block)
        assert all_bytes(cluster(case, engine, method)) == expected
        assert "all" in engine.calls


def test_refreshes_are_compared_by_the_engine() -> None:
    engine = NoisyEngine()
    cluster(tight_people(), engine)
    assert "some" in engine.calls


@pytest.mark.parametrize("name", CASES)
def test_a_larger_error_that_is_stated_changes_nothing(name: str) -> None:
    assert same(CASES[name](), NoisyEngine(noise=28.0, stated=30.0))


@pytest.mark.parametrize(("name", "method"), [("circle", "average"), ("lattice", "complete")])
def test_a_larger_error_that_is_not_stated_changes_clusters(name: str, method: str) -> None:
    case = CASES[name]()
    expected = all_bytes(cluster(case, method=method))
    changed = [all_bytes(cluster(case, NoisyEngine(seed, 1000, noise=30.0), method)) != expected for seed in range(8)]
    assert any(changed)


BROKEN: dict[str, tuple[NoisyEngine, str, str]] = {
    "limits below the client's": (NoisyEngine(lowered=0.3), "tight people", "average"),
    "the point itself struck out of a list already cut": (
        NoisyEngine(1, 1000, strikes_out_late=True),
        "sphere",
        "complete",
    ),
    "each block taken twice": (NoisyEngine(repeats=True), "synthetic", "complete"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_changes_clusters(fault: str) -> None:
    engine, name, method = BROKEN[fault]
    assert not same(CASES[name](), engine, method)


def broken_rows(engine: PairEngine, name: str) -> int:
    """Count the lists that break the promise of a first pass and of a refresh over the same points."""
    case = CASES[name]()
    means, limit = ClusterMeans(case.faces.embeddings), case.params.threshold
    points = np.arange(len(case.faces))
    found = engine.compare_all(means, points, limit, lambda rows: None)
    broken = count_broken_rows(found, means, points, points, limit)
    some = points[::7]
    found = engine.compare_some(means, some, points, limit, None, lambda rows: None)
    return broken + count_broken_rows(found, means, some, points, limit)


@pytest.mark.parametrize("name", ["sphere", "simplex", "tight people", "lattice"])
@pytest.mark.parametrize(
    "engine",
    [ThreadEngine(), NoisyEngine(1), NoisyEngine(2, 1000), NoisyEngine(3, noise=28.0, stated=30.0)],
    ids=["threads", "noise", "one block", "large error"],
)
def test_what_a_list_leaves_out_is_as_far_as_promised(engine: PairEngine, name: str) -> None:
    assert broken_rows(engine, name) == 0


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (NoisyEngine(noise=30.0), "sphere"),
        (NoisyEngine(lowered=0.3), "tight people"),
        (NoisyEngine(1, 1000, strikes_out_late=True), "sphere"),
    ],
    ids=["noise", "limits", "the point itself"],
)
def test_lists_show_a_broken_promise(fault: NoisyEngine, name: str) -> None:
    assert broken_rows(fault, name) > 30


@pytest.mark.parametrize("stored", [np.float16, np.float32])
def test_rows_follow_exactly_from_stored_embeddings_and_the_centre(stored: type[np.floating]) -> None:
    """Other machines compute the rows of a product from what is stored, and get the client's to the bit."""
    sent = synthetic_faces(300, 9).embeddings.astype(stored)
    rng = np.random.default_rng(9)
    offsets = rng.uniform(-0.1, 0.1, len(sent))
    for given in (None, offsets):
        means = ClusterMeans(sent.astype(np.float32), given)
        rows = sent.astype(np.float64) - means.centre
        squares = np.einsum("ij,ij->i", rows, rows)
        if given is not None:
            squares += given - given.min()
        expected = np.column_stack([rows, np.ones(len(rows)), squares]).astype(np.float32)
        targets = means.targets(np.arange(len(sent)))
        assert targets.tobytes() == expected.tobytes()
        expected[:, :-2] *= -2
        assert means.probes(np.arange(len(sent))).tobytes() == expected[:, [*range(sent.shape[1]), -1, -2]].tobytes()


def test_the_sum_of_a_cluster_follows_from_its_merges_not_from_their_order() -> None:
    """(0 + 1) + (2 + 3) and a merge of 4 and 5 have the same bits in one round, or in another order."""
    results = []
    for rounds in ([((0, 2, 4), (1, 3, 5)), ((0,), (2,))], [((5,), (4,)), ((3,), (2,)), ((1,), (0,)), ((3,), (1,))]):
        means = ClusterMeans(synthetic_faces(20, 10).embeddings[:6])
        for into, others in rounds:
            means.merge(np.array(into), np.array(others))
        a, b = rounds[-1][0][0], 4 if len(rounds) == 2 else 5
        results.append((means.pair_distances(np.array([a]), np.array([b])), means.targets(np.array([a, b]))))
    assert results[0][0].tobytes() == results[1][0].tobytes()
    assert results[0][1].tobytes() == results[1][1].tobytes()


def test_lists_have_one_length() -> None:
    points = np.arange(800)
    for engine in (ThreadEngine(), NoisyEngine()):
        found = engine.compare_all(ClusterMeans(tight_people().faces.embeddings), points, 1.1, lambda rows: None)
        assert found.nearest.columns.shape == found.nearest.values.shape == (800, LIST_LENGTH)
