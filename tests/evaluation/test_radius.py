"""A pack's radius, found on labelled faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.errors import UsageError
from faceclust.evaluation import radius
from faceclust.evaluation.labelled_folders import LabelledPhotos
from faceclust.evaluation.main_faces import MainFaces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.radius import DistanceScore, RadiusEstimate, find_plateau, find_radius, score_distances
from faceclust.packs.registry import load_pack
from faceclust.progress import SilentProgress


def faces_of(people: int, shots: int, scatter: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, 32): a direction a person, and about it the shots."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(people, 1, 32))
    vectors = (own + scatter * rng.normal(size=(people, shots, 32))).reshape(-1, 32)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units.astype(np.float32), np.repeat([f"p{i:04d}" for i in range(people)], shots)


def found_on(units: np.ndarray, persons: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> RadiusEstimate:
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
    monkeypatch.setattr(radius, "find_main_faces", lambda *given, **more: faces)
    photos = LabelledPhotos(Path("some"), tuple(f"{person}/{i:05d}.jpg" for i, person in enumerate(persons)))
    return find_radius(photos, load_pack("dlib"))


def test_the_best_cut_becomes_the_operating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(300, 4, 0.45)
    found = found_on(units, persons, monkeypatch)
    assert found.faces == 1200 and found.people == found.people_with_several == 300 and not found.is_undersampled
    # What `cluster` does at 1.1 with embeddings of this radius is as good as any cut there is.
    at_radius = bcubed(cluster_in_two_passes(units * np.float32(found.radius), 1.1, Constraints()), persons).f
    slowly = max(
        bcubed(cluster_in_two_passes(units, cut, Constraints()), persons).f for cut in np.arange(0.05, 2.0, 0.02)
    )
    assert at_radius > slowly - 0.006
    assert 1.1 / found.radius**2 == pytest.approx(found.middle, rel=2e-3)
    for factor in (0.6, 1.6):  # and another is not
        assert (
            bcubed(cluster_in_two_passes(units * np.float32(factor * found.radius), 1.1, Constraints()), persons).f
            < slowly - 0.1
        )


def test_the_radius_does_not_hang_on_the_vectors_length_or_order(monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(60, 3, 0.4)
    order = np.random.default_rng(1).permutation(len(units))
    first = found_on(units, persons, monkeypatch)
    second = found_on(5 * units[order], persons[order], monkeypatch)
    assert second.radius == pytest.approx(first.radius, rel=0.02)
    assert first.is_undersampled


def test_a_lone_peak_counts_less_than_a_broad_top() -> None:
    fs = [0.5, 0.9, 0.952, 0.95, 0.951, 0.955, 0.93, 0.954, 0.4]
    cuts = [DistanceScore(i / 10, 1, 1, f) for i, f in enumerate(fs, 1)]
    assert find_plateau(cuts, 0.005) == (0.3, 0.6)  # what is beyond the dip does not belong to it
    assert find_plateau(cuts, 0.001) == (0.6, 0.6)


def test_cuts_are_tried_finely_about_the_best() -> None:
    units, persons = faces_of(60, 3, 0.4)
    cuts = score_distances(units, persons, SilentProgress())
    distances = np.array([cut.distance for cut in cuts])
    assert (np.diff(distances) > 0).all()
    top = max(range(len(cuts)), key=lambda i: cuts[i].f)
    assert np.diff(distances)[top - 3 : top + 3].max() < 0.02 * distances[top]
    assert cuts == score_distances(units, persons, SilentProgress())
    assert all(cut.f == pytest.approx(2 * cut.precision * cut.recall / (cut.precision + cut.recall)) for cut in cuts)


@pytest.mark.parametrize(("people", "shots"), [(19, 5), (400, 1), (2, 50), (1, 1)])
def test_too_few_people_are_refused_with_the_reason(people: int, shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    units, persons = faces_of(people, shots, 0.3)
    with pytest.raises(UsageError, match=f"{people} with a face, {people if shots > 1 else 0} with at least two"):
        found_on(units, persons, monkeypatch)
