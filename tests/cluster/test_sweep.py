"""A sweep gives the same groups as one run at each threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.group import group_faces
from faceclust.cluster.sweep import sweep_thresholds
from faceclust.errors import UsageError
from faceclust.types import ClusterParams
from tests.benchmarks.synthetic import face_table, synthetic_faces

CUTS = [1.2, 0.7, 0.9, 1.0, 1.1, 1.3, 1.6]
METHODS = [
    ClusterParams(),
    ClusterParams(second_pass=False),
    ClusterParams(algorithm="complete"),
    ClusterParams(algorithm="single"),
    ClusterParams(algorithm="hdbscan"),
]


def same_groups(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two labellings have the same groups; −1 is a face alone."""
    a, b = (np.where(x < 0, -1 - np.arange(len(x)), x) for x in (a, b))
    return len(np.unique(np.stack([a, b]), axis=1).T) == len(np.unique(a)) == len(np.unique(b))


@pytest.mark.slow
@pytest.mark.parametrize("params", METHODS, ids=lambda p: p.algorithm if p.second_pass else "one pass")
@pytest.mark.parametrize("kind", ["free", "photos", "linked", "low_quality"])
def test_each_threshold_gives_the_groups_of_a_single_run(params: ClusterParams, kind: str) -> None:
    drawn = synthetic_faces(400, seed=4)
    quality = np.ones(400, np.float32)
    if kind == "low_quality":  # two of these faces are linked at the higher cuts
        quality[::7] = np.linspace(0, 0.6, len(quality[::7]))
    exclusions = [] if kind == "free" else same_photo_exclusions(drawn.photo.astype(str))
    constraints = {}
    for cut in CUTS:
        links = (
            [np.array([i, i + 150]) for i in range(0, 40, 4) if cut >= 1.0] if kind in ("linked", "low_quality") else []
        )
        allowed = [pair for pair in links if not any(np.isin(pair, exclusion).all() for exclusion in exclusions)]
        constraints[cut] = Constraints(allowed, exclusions)
    if params.algorithm == "hdbscan":
        constraints = dict.fromkeys(CUTS, constraints[0.7])
    found = list(sweep_thresholds(drawn.embeddings, quality, params, constraints))
    assert [cut for cut, _ in found] == sorted(CUTS)
    faces = replace(face_table(np.arange(400), drawn.embeddings, drawn.photo), quality=quality)
    for cut, clusters in found:
        expected = group_faces(faces, replace(params, threshold=cut), constraints[cut]).clustering.labels
        assert same_groups(clusters, expected), cut


def test_an_invalid_threshold_is_refused() -> None:
    with pytest.raises(UsageError, match="threshold must be above 0 and at most 1000, not 0"):
        list(
            sweep_thresholds(
                synthetic_faces(5).embeddings, np.ones(5, np.float32), ClusterParams(), {0.0: Constraints()}
            )
        )
