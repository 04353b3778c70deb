"""Products of 8-bit integers rule out pairs, but none that float32 puts within a limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faceclust.cluster import blocked_pairs, integer_filter, pair_engine
from faceclust.cluster.blocked_pairs import find_near_pairs
from faceclust.cluster.constraints import ExclusionIndex, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.integer_filter import IntegerFilter
from faceclust.cluster.pair_engine import ThreadEngine
from faceclust.engines import integer_product
from faceclust.engines.integer_product import build_integer_product, find_integer_product
from faceclust.packs.session import has_exact_int8_sums
from tests.support.pair_contract import (
    POINTS,
    assert_equal_clusterings,
    check_contract,
    exact_distances,
    group,
    scattered,
    synthetic,
)


class NumpyProduct:
    """The product by definition. It counts its calls."""

    calls = 0

    def __call__(self, rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
        assert (rows.dtype, columns.dtype, out.dtype) == (np.uint8, np.int8, np.int32)
        np.matmul(rows.astype(np.int32) - 128, columns, out=out, dtype=np.int32, casting="unsafe")
        self.calls += 1


@pytest.fixture(autouse=True)
def many_small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_pairs, "_TILE_ROWS", 100)
    monkeypatch.setattr(blocked_pairs, "_TILE_COLUMNS", 176)
    monkeypatch.setattr(blocked_pairs, "_MIN_TRIALS", 10**9)
    monkeypatch.setattr(blocked_pairs, "_MIN_PAIRS_PER_CANDIDATE", 0)
    monkeypatch.setattr(pair_engine, "MIN_FILTERED_ROWS", 0)
    monkeypatch.setattr(integer_filter, "_CHUNK", 70)
    monkeypatch.setattr("faceclust.cluster.constraints._MIN_BLOCK_PAIRS", 20)


def products_of(
    means: ClusterMeans, rows: np.ndarray, columns: np.ndarray, error: float | None = None
) -> tuple[IntegerFilter, np.ndarray]:
    built = IntegerFilter(NumpyProduct(), means.targets(columns), means.float32_error if error is None else error)
    out = np.empty((len(rows), len(columns)), np.int32)
    encoded = built.encode(means.probes(rows))
    assert built.is_useful and encoded is not None
    built.multiply(encoded, slice(0, len(columns)), out)
    return built, out


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_a_bound_is_never_above_the_distance(points: str, offset: float) -> None:
    embeddings = POINTS[points](400)
    offsets = np.random.default_rng(0).uniform(-offset, offset, 400) if offset else None
    means = ClusterMeans(embeddings, offsets)
    rows, columns = np.arange(0, 400, 2), np.arange(400)
    built, products = products_of(means, rows, columns)
    distances = means.probes(rows) @ means.targets(columns).T
    assert (products >= built.convert_limits(distances)).all()
    for error in (means.float32_error, 0.3):
        built, products = products_of(means, rows, columns, error)
        assert (-products * built._unit <= exact_distances(means, rows, columns) - error).all()


def test_rounding_errors_in_the_direction_of_the_other_vector() -> None:
    """For these the inequality of Cauchy and Schwarz is an equation, up to the rounding of the squared norms."""

    def rows(values: list[float], dimension: int) -> np.ndarray:
        vectors = np.repeat(np.float32(values)[:, None], dimension, axis=1)
        vectors[0, 1:] = 0
        return np.column_stack([vectors, np.ones(len(values)), (vectors**2).sum(axis=1)]).astype(np.float32)

    for dimension in (8, 64, 256):
        # The first one sets the step between integers to 1.
        targets, lefts = rows([127, 60, 50.49, -40.49], dimension), rows([127, 40.49, 60.51, -50.49], dimension)
        probes = np.column_stack([-2 * lefts[:, :-2], lefts[:, :-3:-1]])
        built = IntegerFilter(NumpyProduct(), targets, 0.0)
        encoded, out = built.encode(probes), np.empty((4, 4), np.int32)
        assert encoded is not None
        built.multiply(encoded, slice(0, 4), out)
        exact = probes.astype(np.float64) @ targets.T
        assert built._unit == 2 and (-out * built._unit <= exact).all()
        slack = 2 * 0.5 * (127 + 127) * dimension + 2 * 127 * built._unit
        assert (-out * built._unit >= exact - slack).all()


@pytest.mark.parametrize("points", ["synthetic", "scattered"])
def test_few_pairs_beyond_a_limit_are_candidates(points: str) -> None:
    means = ClusterMeans(POINTS[points](400))
    every = np.arange(400)
    built, products = products_of(means, every, every)
    candidates = products >= built.convert_limits(np.full(1, 0.9, np.float32))
    assert not candidates[exact_distances(means, every, every) > 1.05].any()


def test_limits_beyond_the_range_of_integers() -> None:
    built, _ = products_of(ClusterMeans(synthetic(50)), np.arange(50), np.arange(50))
    found = built.convert_limits(np.array([np.inf, 1e30, -1e30], np.float32)).tolist()
    assert found == [-(2**31) + 1, -(2**31) + 1, 2**31 - 1]  # an excluded pair is at -(2**31)
    limits = np.random.default_rng(0).uniform(-1, 4, 1000).astype(np.float32)
    assert (-built.convert_limits(limits) * built._unit >= limits).all()


def test_vectors_outside_the_range_of_the_targets() -> None:
    means, product = ClusterMeans(np.vstack([scattered(300), 40 * scattered(4)])), NumpyProduct()
    rows, columns = np.arange(304), np.arange(300)
    found = ThreadEngine(product).compare_some(means, rows, columns, 1.1, None, lambda rows: None)
    check_contract(
        found, exact_distances(means, rows, columns), rows[:, None] != columns, 1.1, may_list=np.ones((304, 300), bool)
    )
    assert product.calls > 5


def test_rows_that_integers_cannot_represent_are_left_to_float32() -> None:
    means, product = ClusterMeans(scattered(300)), NumpyProduct()
    targets, probes = means.targets(np.arange(300)), means.probes(np.arange(300))
    probes[150, -2] = -1000.0  # in place of a squared norm
    limits = np.ones(300, np.float32)
    for built in (IntegerFilter(product, targets, means.float32_error), None):
        pairs = find_near_pairs(lambda some: probes[some], targets, limits, integer_filter=built)
        found = sorted((int(r), int(c)) for rows, columns, _ in pairs for r, c in zip(rows, columns, strict=True))
        assert found.count((150, 150)) == 1 and sum(r == 150 for r, _ in found) == 300
        assert product.calls == 4  # two of three blocks of rows, in two tiles each


@pytest.mark.parametrize(
    "means",
    [ClusterMeans(np.zeros((9, 4), np.float32)), ClusterMeans(1e-3 * scattered(9), np.linspace(0, 9, 9))],
    ids=["equal points", "large offsets"],
)
def test_points_for_which_a_filter_is_useless(means: ClusterMeans) -> None:
    product = NumpyProduct()
    assert not IntegerFilter(product, means.targets(np.arange(9)), means.float32_error).is_useful
    found = ThreadEngine(product).compare_all(means, np.arange(9), 1.1, lambda rows: None)
    check_contract(found, exact_distances(means, np.arange(9), np.arange(9)), ~np.eye(9, dtype=bool), 1.1)
    assert product.calls == 0


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("n", [1, 2, 30, 440])
def test_filtered_pairs_keep_the_contract(points: str, n: int) -> None:
    means, every, product = ClusterMeans(POINTS[points](max(n, 4))[:n]), np.arange(n), NumpyProduct()
    exact = exact_distances(means, every, every)
    photos = same_photo_exclusions(np.random.default_rng(n).integers(0, 1 + n // 8, n).astype(str))
    mask = ExclusionIndex(photos, lambda faces: faces, n).build_tile_mask(every, every)
    excluded = np.zeros((n, n), np.float32)
    if mask is not None:
        mask(excluded, slice(0, n), slice(0, n))
    allowed, itself = ~np.isnan(excluded), np.eye(n, dtype=bool)
    for limit in (0.0, 1.1, np.inf):
        found = ThreadEngine(product).compare_all(means, every, limit, lambda rows: None)
        check_contract(found, exact, ~itself, limit)
        found = ThreadEngine(product).compare_some(means, every, every, limit, mask, lambda rows: None)
        check_contract(found, exact, allowed & ~itself, limit, may_list=allowed | itself)
    assert product.calls > 5 or n < 30


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", ["rows", "rectangle", "triangle"])
def test_pairs_within_the_limit_of_either_side_are_found(threads: int, shape: str) -> None:
    means, rng = ClusterMeans(synthetic(440)), np.random.default_rng(5)
    rows, columns = np.arange(440), np.arange(440 if shape == "triangle" else 300)
    limits = [rng.uniform(0.2, 1.2, len(some)).astype(np.float32) for some in (rows, columns)]
    limits = [limits[0], limits[0]] if shape == "triangle" else limits
    exact = exact_distances(means, rows, columns)
    beside = exact - (limits[0][:, None] if shape == "rows" else np.maximum.outer(*limits))
    if shape == "triangle":
        beside[np.tril_indices(440)] = np.inf
    targets = means.targets(columns)
    for built in (None, IntegerFilter(NumpyProduct(), targets, means.float32_error)):
        pairs = find_near_pairs(
            lambda some: means.probes(rows[some]),
            targets,
            limits[0],
            None if shape == "rows" else limits[1],
            rectangle=shape == "rectangle",
            threads=threads,
            integer_filter=built,
        )
        found = np.zeros(exact.shape, np.int64)
        for row, column, values in pairs:
            np.add.at(found, (row, column), 1)
            assert np.abs(values - exact[row, column]).max(initial=0) <= means.float32_error
        assert (found[beside <= -means.float32_error] == 1).all()
        assert (found[beside > means.float32_error] == 0).all()
    assert np.getbufsize() == 8192


@pytest.mark.parametrize("points", POINTS)
def test_clusters_are_those_without_the_filter(points: str) -> None:
    product = NumpyProduct()
    assert_equal_clusterings(group(POINTS[points](900), ThreadEngine(product)), group(POINTS[points](900), None))
    assert product.calls > 5


def test_a_filter_that_rules_out_little_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_pairs, "_MIN_TRIALS", 4)
    monkeypatch.setattr(blocked_pairs, "_MIN_PAIRS_PER_CANDIDATE", 64)
    means, every, product = ClusterMeans(synthetic(900)), np.arange(900), NumpyProduct()
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    found = ThreadEngine(product).compare_all(means, every, 5.0, lambda rows: None)
    check_contract(found, exact_distances(means, every, every), ~np.eye(900, dtype=bool), 5.0)
    assert product.calls == 5
    ThreadEngine(product).compare_all(means, every, 0.3, lambda rows: None)
    assert product.calls > 30


def test_few_rows_are_compared_without_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_engine, "MIN_FILTERED_ROWS", 901)
    product = NumpyProduct()
    ThreadEngine(product).compare_all(ClusterMeans(synthetic(900)), np.arange(900), 1.1, lambda rows: None)
    assert product.calls == 0


@pytest.mark.skipif(not has_exact_int8_sums(), reason="this processor may overflow")
def test_the_product_of_integers_is_exact() -> None:
    rng = np.random.default_rng(0)
    product, expected = build_integer_product(), NumpyProduct()
    for rows, entries, columns in ((1, 1, 1), (3, 130, 5), (512, 136, 300), (65, 67, 2048)):
        left = rng.choice(np.uint8([0, 1, 127, 128, 129, 255]), (rows, entries))
        right = rng.choice(np.int8([-127, -1, 0, 1, 127]), (entries, columns))
        found, wanted = (np.empty((rows, columns), np.int32) for _ in range(2))
        expected(left, right, wanted)
        with ThreadPoolExecutor(4) as pool:
            outputs = [np.empty_like(found) for _ in range(8)]
            list(pool.map(lambda out, left=left, right=right: product(left, right, out), outputs))
        for out in outputs:
            np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize(("is_exact", "gain", "found"), [(True, 0, True), (True, 10**9, False), (False, 0, False)])
def test_the_product_is_used_only_if_it_is_exact_and_fast(
    monkeypatch: pytest.MonkeyPatch, is_exact: bool, gain: float, found: bool
) -> None:
    monkeypatch.setattr(integer_product, "has_exact_int8_sums", lambda: is_exact)
    monkeypatch.setattr(integer_product, "_MIN_GAIN", gain)
    assert (find_integer_product(64) is not None) == found
