from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from faceclust.errors import FaceclustError, UsageError
from faceclust.outputs.map import layout
from faceclust.outputs.map.layout import METHODS, compute_layout, principal_plane, require_method
from faceclust.outputs.map.nearest_faces import find_nearest_faces
from faceclust.progress import SilentProgress
from tests.benchmarks.synthetic import Faces, synthetic_faces

pytestmark = pytest.mark.slow  # compiles numba's code

_SCRIPT = """
import hashlib, sys
from faceclust.outputs.map import layout
from tests.benchmarks.synthetic import synthetic_faces

def print_digest(method):
    points = layout.compute_layout(synthetic_faces(300).embeddings, method, threads=int(sys.argv[1]))
    print(method, hashlib.sha256(points.tobytes()).hexdigest())

layout._EARLY_ITERATIONS = layout._LATE_ITERATIONS = 50
for method in sys.argv[2:]:
    print_digest(method)
layout._BARNES_HUT_LIMIT = 0  # as for large libraries
print_digest("tsne")
"""


@pytest.fixture(scope="module")
def faces() -> Faces:
    return synthetic_faces(1_000)


@pytest.fixture(scope="module")
def points(faces: Faces) -> np.ndarray:
    return compute_layout(faces.embeddings)


def neighbour_share(faces: Faces, points: np.ndarray) -> float:
    """Return the share of faces whose nearest neighbour is the same person, among people with several faces."""
    nearest = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(return_distance=False)[:, 0]
    often = np.bincount(faces.person)[faces.person] > 1
    return float(np.mean(faces.person[nearest[often]] == faces.person[often]))


@pytest.mark.slow
def test_the_layout_is_independent_of_process_and_threads() -> None:
    methods = [method for method in METHODS if method == "tsne" or find_spec("umap")]
    reported = []
    for threads in ("1", "3"):
        root = Path(__file__).parents[2]
        env = {
            "PYTHONPATH": str(root),
            "PATH": "",
            "OMP_NUM_THREADS": threads,
            "OMP_WAIT_POLICY": "passive",
            "OPENBLAS_NUM_THREADS": threads,
            "NUMBA_NUM_THREADS": threads,
        }
        command = [sys.executable, "-c", _SCRIPT, threads, *methods]
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True)
        reported.append(done.stdout)
    assert reported[0] == reported[1] and len(set(reported[0].splitlines())) == len(methods) + 1


@pytest.mark.slow
def test_faces_of_one_person_are_neighbours(faces: Faces, points: np.ndarray) -> None:
    kept, in_space = (
        neighbour_share(faces, points),
        neighbour_share(faces, faces.embeddings),
    )
    assert in_space > 0.9
    assert kept > in_space - 0.04
    assert neighbour_share(faces, principal_plane(faces.embeddings)) < 0.5  # linear is not enough


@pytest.mark.slow
def test_umap_keeps_faces_of_one_person_together(faces: Faces) -> None:
    pytest.importorskip("umap")
    assert neighbour_share(faces, compute_layout(faces.embeddings, "umap")) > 0.6


def test_points_fill_the_unit_square_and_keep_the_aspect_ratio(points: np.ndarray) -> None:
    assert points.dtype == np.float32 and points.shape == (1_000, 2)
    extent = np.ptp(points, axis=0)
    assert extent.max() == pytest.approx(1, abs=1e-6)
    assert points.min() >= 0 and points.max() <= 1
    assert (points.min(axis=0) + points.max(axis=0)) / 2 == pytest.approx([0.5, 0.5], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 12])
def test_few_faces_have_distinct_points(n: int, method: str) -> None:
    if method == "umap":
        pytest.importorskip("umap")
    embeddings = synthetic_faces(max(n, 5)).embeddings[:n]
    points = compute_layout(embeddings, method)
    assert points.shape == (n, 2) and np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == n


def test_identical_faces_give_finite_points() -> None:
    points = compute_layout(np.tile(synthetic_faces(5).embeddings[:1], (200, 1)))
    assert np.isfinite(points).all()


@pytest.mark.slow
def test_copies_of_faces_are_laid_out() -> None:
    few = synthetic_faces(30).embeddings
    points = compute_layout(np.repeat(few, 8, axis=0))
    assert np.isfinite(points).all() and np.ptp(points, axis=0).min() > 0.1


@pytest.mark.slow
def test_faces_beyond_the_limit_are_placed_beside_similar_ones(faces: Faces) -> None:
    points = compute_layout(faces.embeddings, max_faces=600)
    alone = compute_layout(faces.embeddings[:600])
    first = points[:600]
    assert np.corrcoef(first[:, 0], alone[:, 0])[0, 1] > 0.999999  # the others do not move these
    counts = np.bincount(faces.person[:600], minlength=faces.person.max() + 1)
    late = 600 + np.flatnonzero(counts[faces.person[600:]] >= 5)
    nearest = NearestNeighbors(n_neighbors=1).fit(first).kneighbors(points[late], return_distance=False)[:, 0]
    assert np.mean(faces.person[nearest] == faces.person[late]) > 0.8


def test_neighbours_equal_those_of_scikit_learn(faces: Faces) -> None:
    embeddings = faces.embeddings * np.float32(2.7)
    near, gaps = find_nearest_faces(embeddings, 20, threads=2)
    expected_gaps, expected = NearestNeighbors(n_neighbors=20, algorithm="brute").fit(embeddings).kneighbors()
    assert gaps == pytest.approx(expected_gaps, abs=1e-3)
    assert np.mean(near == expected) > 0.999  # except for ties
    among, _ = find_nearest_faces(embeddings, 5, candidate_count=50)
    assert among.max() < 50 and not np.any(among[:50] == np.arange(50)[:, None])


@pytest.mark.slow
def test_progress_is_complete(faces: Faces) -> None:
    reported: dict[str, list[int]] = {}

    class ReportedProgress(SilentProgress):
        def start(self, stage: str, total: int | None, unit: str = "") -> None:
            reported[stage] = [total or 0, 0]

        def advance(self, steps: int = 1, **counts: int) -> None:
            reported[list(reported)[-1]][1] += steps

    compute_layout(faces.embeddings[:200], progress=ReportedProgress())
    assert list(reported) == ["comparing faces", "laying out"]
    assert all(total == done > 0 for total, done in reported.values()), reported


def test_unknown_and_missing_methods_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown layout method 'pca'"):
        require_method("pca")
    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    with pytest.raises(FaceclustError, match="umap-learn is not installed") as reported:
        compute_layout(np.zeros((3, 4), np.float32), "umap")
    assert "pip install 'faceclust[umap]'" in str(reported.value.hint)
