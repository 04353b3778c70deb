"""Points that are hard to compare, and what `PairEngine` promises about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.distances import ClusterMeans
from faceclust.cluster.group import group_faces
from faceclust.cluster.pair_engine import Comparison
from faceclust.types import ClusterParams
from tests.benchmarks.synthetic import face_table, synthetic_faces


def synthetic(n: int) -> np.ndarray:
    return synthetic_faces(n, dimension=64).embeddings


def lattice(n: int) -> np.ndarray:
    """Points full of ties and duplicates."""
    return np.random.default_rng(n).integers(-2, 3, (n, 3)).astype(np.float32) / 2


def scattered(n: int) -> np.ndarray:
    """Points of several lengths around 3.15, far from the origin, a third of them in pairs that are nearly equal."""
    rng = np.random.default_rng(n)
    points = rng.normal(size=(max(1, n // 7), 128))[rng.integers(0, max(1, n // 7), n)] * 0.27
    points += 0.03 * rng.normal(size=points.shape)
    points[: n // 3] = points[n - n // 3 :] + 1e-4
    return (points + 0.2).astype(np.float32)


def duplicates(n: int) -> np.ndarray:
    return np.tile(synthetic(n // 2), (3, 1))[:n]


POINTS: dict[str, Callable[[int], np.ndarray]] = {
    "synthetic": synthetic,
    "lattice": lattice,
    "scattered": scattered,
    "duplicates": duplicates,
}


def check_contract(
    found: Comparison, exact: np.ndarray, allowed: np.ndarray, limit: float, *, may_list: np.ndarray | None = None
) -> None:
    """Check what `Comparison` promises. `exact` (rows, columns) are float64 distances, and `allowed` pairs wanted."""
    best = found.nearest
    rows, slots = np.nonzero(best.columns >= 0)
    listed = np.zeros(exact.shape, np.int64)
    np.add.at(listed, (rows, best.columns[rows, slots]), 1)
    assert listed.max(initial=0) <= 1
    assert not (listed.astype(bool) & ~(allowed if may_list is None else may_list)).any()
    errors = np.abs(best.values[rows, slots] - exact[rows, best.columns[rows, slots]])
    assert errors.max(initial=0) <= found.error
    promised = np.where(best.full_rows, best.limits.astype(np.float64) - 2 * found.error, np.inf)
    left_out = np.where(allowed & (listed == 0) & (exact <= limit), exact, np.inf)
    assert (left_out.min(axis=1, initial=np.inf) >= promised).all()


def exact_distances(means: ClusterMeans, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    pairs = means.pair_distances(np.repeat(rows, len(columns)), np.tile(columns, len(rows)))
    return pairs.reshape(len(rows), len(columns))


def group(embeddings: np.ndarray, engine: Any) -> dict[str, Any]:
    """Everything that a clustering saves. Photos have up to a few faces, so that exclusions matter."""
    n = len(embeddings)
    photo = np.random.default_rng(n).integers(0, max(1, n // 2), n)
    faces = face_table(np.arange(n), embeddings, photo)
    constraints = Constraints([np.array([0, n - 1])] if n > 5 else [], same_photo_exclusions(faces.photo_ids))
    grouping = group_faces(faces, ClusterParams(), constraints, engine=engine)
    return dataclasses.asdict(grouping.clustering)


def assert_equal_clusterings(a: dict[str, Any], b: dict[str, Any]) -> None:
    for name, value in a.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == b[name].tobytes(), name
        else:
            assert value == b[name], name
