"""A device's comparison keeps the contract of `PairEngine`, and the clusters are those of the threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from faceclust.cluster.constraints import ExclusionIndex, TileMask, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.pair_engine import Comparison, ThreadEngine
from faceclust.engines import device_pairs
from faceclust.engines.device_pairs import DevicePairEngine
from faceclust.engines.onnx_graphs import build_integer_product_graph, build_tile_graph
from faceclust.errors import FaceclustError
from tests.support.pair_contract import (
    POINTS,
    assert_equal_clusterings,
    check_contract,
    exact_distances,
    group,
    lattice,
    synthetic,
)


@pytest.fixture(autouse=True)
def many_small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_pairs, "_TILE_ROWS", 150)
    monkeypatch.setattr(device_pairs, "_TILE_COLUMNS", 219)
    monkeypatch.setattr(device_pairs, "_MIN_PAIRS", 0)
    monkeypatch.setattr("faceclust.cluster.constraints._MIN_BLOCK_PAIRS", 20)


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("n", [1, 2, 24, 25, 26, 300, 440])
def test_all_pairs_keep_the_contract(points: str, n: int) -> None:
    embeddings = POINTS[points](max(n, 4))[:n]
    offsets = np.random.default_rng(n).uniform(-0.3, 0.3, n) if n % 2 else None
    means = ClusterMeans(embeddings, offsets)
    clusters, steps = np.arange(n), []
    for limit in (0.0, means.shift_limit(1.1), np.inf):
        found = DevicePairEngine("cpu").compare_all(means, clusters, limit, steps.append)
        assert found.error == means.float32_error
        check_contract(found, exact_distances(means, clusters, clusters), ~np.eye(n, dtype=bool), limit)
    assert sum(steps) == 3 * n and min(steps) >= 0


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize(("photos", "rows"), [(400, 30), (60, 200), (7, 430), (0, 25)])
def test_some_pairs_with_exclusions_keep_the_contract(points: str, photos: int, rows: int) -> None:
    """Few photos have many faces each, which are excluded as blocks."""
    rng = np.random.default_rng(photos)
    means = ClusterMeans(POINTS[points](440))
    chosen, columns = np.sort(rng.permutation(440)[:rows]), np.sort(rng.permutation(440)[:437])
    exclusions = same_photo_exclusions(rng.integers(0, photos, 440).astype(str)) if photos else []
    mask = ExclusionIndex(exclusions, lambda faces: faces, 440).build_tile_mask(chosen, columns)
    excluded = np.zeros((len(chosen), len(columns)), np.float32)
    if mask is not None:
        mask(excluded, slice(0, len(chosen)), slice(0, len(columns)))
        assert bool(mask.blocks) == (photos < 400)
    allowed, itself = ~np.isnan(excluded), chosen[:, None] == columns
    steps: list[int] = []
    for engine in (DevicePairEngine("cpu"), ThreadEngine()):
        found = engine.compare_some(means, chosen, columns, 1.3, mask, steps.append)
        exact = exact_distances(means, chosen, columns)
        check_contract(found, exact, allowed & ~itself, 1.3, may_list=allowed | itself)
    assert sum(steps) == 2 * len(chosen)


def test_a_cluster_takes_no_place_in_its_own_list() -> None:
    """Nor do the clusters that it excludes: a list of them alone would leave all others to float64."""
    means = ClusterMeans(lattice(300))
    photo = TileMask(np.empty(0, np.int64), np.empty(0, np.int64), [(np.arange(200), np.arange(200))])
    every = np.arange(300)
    found = DevicePairEngine("cpu").compare_some(means, every, every, np.inf, photo, lambda rows: None)
    assert found.nearest.full_rows.all()
    assert (found.nearest.columns[:200] >= 200).all()
    assert (found.nearest.columns != every[:, None]).all()


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("n", [1, 2, 30, 900])
def test_clusters_are_those_of_the_threads(points: str, n: int) -> None:
    embeddings = POINTS[points](max(n, 4))[:n]
    assert_equal_clusterings(group(embeddings, DevicePairEngine("cpu")), group(embeddings, None))


def keep_bits(bits: int, *, truncate: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that keeps so many explicit bits of float32 mantissas, as devices do."""

    def convert(values: np.ndarray) -> np.ndarray:
        raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
        dropped = np.uint32(23 - bits)
        half = np.uint32(0) if truncate else np.uint32(1) << (dropped - np.uint32(1))
        return ((raw + half) >> dropped << dropped).view(np.float32)

    return convert


class RoundingEngine(DevicePairEngine):
    """A device that rounds the factors of its product."""

    def __init__(self, convert: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__("cpu")
        self.convert, self.errors = convert, set[float]()

    def _copy_columns(self, means: ClusterMeans, clusters: np.ndarray) -> dict[str, Any]:
        rounded = self.convert(means.targets(clusters)[:, :-2])
        return super()._copy_columns(means, clusters) | {"columns": self._graph.copy_to_device(rounded)}

    def _find_nearest(self, left: np.ndarray, *arguments: Any) -> dict[str, Any]:
        return super()._find_nearest(np.hstack([self.convert(left[:, :-2]), left[:, -2:]]), *arguments)

    def _compare(self, means: ClusterMeans, *arguments: Any) -> Comparison:
        found = super()._compare(means, *arguments)
        assert found.error == means.error_of_rounded(self.unit)
        self.used = self.unit
        return found

    unit: float
    used: float | None = None


FORMATS = {
    "float16": (lambda values: values.astype(np.float16).astype(np.float32), 2.0**-11),
    "TF32": (keep_bits(10, truncate=False), 2.0**-11),
    "TF32, truncated": (keep_bits(10, truncate=True), 2.0**-10),
    "bfloat16": (keep_bits(7, truncate=False), 2.0**-8),
    "bfloat16, truncated": (keep_bits(7, truncate=True), 2.0**-7),
}


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("name", FORMATS)
def test_reduced_precision_gives_the_same_clusters_by_its_own_bound(points: str, name: str) -> None:
    embeddings = POINTS[points](600)
    convert, unit = FORMATS[name]
    engine = RoundingEngine(convert)
    engine._choose_error = lambda means, clusters: means.error_of_rounded(unit)  # type: ignore[method-assign]
    engine.unit = unit
    assert_equal_clusterings(group(embeddings, engine), group(embeddings, None))
    assert engine.used == unit


@pytest.mark.parametrize("points", ["synthetic", "scattered"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_bound_is_chosen_by_the_measured_error(points: str, name: str) -> None:
    means = ClusterMeans(POINTS[points](440))
    convert, unit = FORMATS[name]
    engine = RoundingEngine(convert)
    engine.unit = unit
    found = engine.compare_all(means, np.arange(440), 1.1, lambda rows: None)
    check_contract(found, exact_distances(means, np.arange(440), np.arange(440)), ~np.eye(440, dtype=bool), 1.1)


@pytest.mark.parametrize(
    "convert", [keep_bits(4, truncate=True), lambda values: values * np.float32(np.nan)], ids=["4 bits", "nan"]
)
def test_a_device_that_is_less_precise_is_refused(convert: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(FaceclustError, match="cpu computes squared distances with an error of") as error:
        group(synthetic(300), RoundingEngine(convert))
    assert error.value.hint == "faceclust cluster --device cpu"


def test_threads_compare_few_pairs_and_those_that_need_more_than_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    means, some = ClusterMeans(synthetic(300)), np.arange(300)
    coarse = RoundingEngine(keep_bits(7, truncate=False))
    assert coarse.compare_some(means, some, some, 1.1, None, lambda rows: None).error == means.float32_error
    fine = RoundingEngine(keep_bits(10, truncate=False))
    fine.unit = 2.0**-11
    assert fine.compare_some(means, some, some, 1.1, None, lambda rows: None).error > means.float32_error
    monkeypatch.setattr(device_pairs, "_MIN_PAIRS", 300 * 300 + 1)
    assert fine.compare_some(means, some, some, 1.1, None, lambda rows: None).error == means.float32_error


def test_large_exclusions_are_hidden_in_fewer_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = TileMask(np.empty(0, np.int64), np.empty(0, np.int64), [(np.arange(200), np.arange(200))])
    steps: list[int] = []
    monkeypatch.setattr(device_pairs, "_MAX_HIDDEN", 2000)
    engine, every = DevicePairEngine("cpu"), np.arange(300)
    engine.compare_some(ClusterMeans(lattice(300)), every, every, np.inf, photo, steps.append)
    assert steps == [10] * 30


@pytest.mark.parametrize("data", [build_tile_graph(), build_integer_product_graph()], ids=["tile", "product"])
def test_the_graphs_are_valid_onnx(data: bytes) -> None:
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert model.SerializeToString(deterministic=True) == data


def test_cuda_must_not_round_products_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Session:
        def __init__(self, model: bytes, options: Any, providers: list[Any]) -> None:
            opened.append(providers)

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider"]

        def get_outputs(self) -> list[Any]:
            return []

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert DevicePairEngine("cuda")._graph
    assert opened == [[("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]]
