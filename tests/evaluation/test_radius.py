"""The estimate of a pack's radius on labelled faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust.errors import UsageError
from faceclust.evaluation import radius
from faceclust.evaluation.labelled_folders import LabelledPhotos
from faceclust.evaluation.main_faces import MainFaces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.radius import DistanceScore, RadiusEstimate, find_plateau, find_radius, score_distances
from faceclust.packs.registry import load_pack
from faceclust.progress import SilentProgress
from tests.benchmarks.grouping import cluster_faces


def faces_of(people: int, shots: int, scatter: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors (n, 32): a random direction for each person, and `shots` scattered around it."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(people, 1, 32))
    vectors = (own + scatter * rng.normal(size=(people, shots, 32))).reshape(-1, 32)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units.astype(np.float32), np.repeat([f"p{i:04d}" for i in range(people)], shots)


def find_radius_on(units: np.ndarray, persons: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> RadiusEstimate:
    n = len(units)
    faces = MainFaces(
        np.ones(n, np.bool_),
        7 * units,
        7 * units,
        np.zeros((n, 4), np.float32),
        np.zeros((n, 5, 2), np.float32),
        np.ones(n, np.float32),
        np.ones(n, np.float32),
    )
    monkeypatch.setattr(radius, "find_main_faces", lambda *arguments, **options: faces)
    photos = LabelledPhotos(Path("some"), tuple(f"{person}/{i:05d}.jpg" for i, person in enumerate(persons)))
    return find_radius(photos, load_pack("dlib"))


@pytest.mark.slow
def test_best_distance_becomes_the_operating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(300, 4, 0.45)
    found = find_radius_on(units, persons, monkeypatch)
    assert found.faces == 1200 and found.people == found.people_with_several == 300 and not found.is_undersampled
    # `cluster` at 1.1 with embeddings of this radius is as good as at the best distance.
    at_radius = bcubed(cluster_faces(units * np.float32(found.radius)), persons).f
    best_f = max(bcubed(cluster_faces(units, cut), persons).f for cut in np.arange(0.05, 2.0, 0.02))
    assert at_radius > best_f - 0.006
    assert 1.1 / found.radius**2 == pytest.approx(found.middle, rel=2e-3)
    for factor in (0.6, 1.6):  # another radius is worse
        assert bcubed(cluster_faces(units * np.float32(factor * found.radius)), persons).f < best_f - 0.1


@pytest.mark.slow
def test_radius_does_not_depend_on_norms_or_order(monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(60, 3, 0.4)
    order = np.random.default_rng(1).permutation(len(units))
    first = find_radius_on(units, persons, monkeypatch)
    second = find_radius_on(5 * units[order], persons[order], monkeypatch)
    assert second.radius == pytest.approx(first.radius, rel=0.02)
    assert first.is_undersampled


def test_plateau_is_the_unbroken_run_around_the_best() -> None:
    fs = [0.5, 0.9, 0.952, 0.95, 0.951, 0.955, 0.93, 0.954, 0.4]
    cuts = [DistanceScore(i / 10, 1, 1, f) for i, f in enumerate(fs, 1)]
    assert find_plateau(cuts, 0.005) == (0.3, 0.6)  # the values beyond the dip do not belong to it
    assert find_plateau(cuts, 0.001) == (0.6, 0.6)


@pytest.mark.slow
def test_steps_are_fine_around_the_best_distance() -> None:
    units, persons = faces_of(60, 3, 0.4)
    cuts = score_distances(units, persons, SilentProgress())
    distances = np.array([cut.distance for cut in cuts])
    assert (np.diff(distances) > 0).all()
    top = max(range(len(cuts)), key=lambda i: cuts[i].f)
    assert np.diff(distances)[top - 3 : top + 3].max() < 0.02 * distances[top]
    assert cuts == score_distances(units, persons, SilentProgress())
    assert all(cut.f == pytest.approx(2 * cut.precision * cut.recall / (cut.precision + cut.recall)) for cut in cuts)


@pytest.mark.parametrize(("people", "shots"), [(19, 5), (400, 1), (2, 50), (1, 1)])
def test_too_few_people_are_refused(people: int, shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(people, shots, 0.3)
    with pytest.raises(UsageError, match=f"{people} with a face, {people if shots > 1 else 0} with at least two"):
        find_radius_on(units, persons, monkeypatch)
