"""The second pass equals its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.labels import groups_of
from faceclust.cluster.linkage import agglomerate
from faceclust.cluster.two_passes import cluster_in_two_passes, scatter_of_clusters
from faceclust.types import SCATTER_SHARE
from tests.cluster.test_linkage import canonicalise, clustered_points


def group_by_definition(points: np.ndarray, threshold: float, constraints: Constraints) -> list[int]:
    """Run the second pass over all pairs of groups with d²(x, y) − SCATTER_SHARE·(S(x) + S(y)); slow."""
    labels = agglomerate(points, threshold, "average", constraints)
    members = {name: np.flatnonzero(labels == name) for name in np.unique(labels).tolist()}
    scatter = np.empty(len(points))
    for faces in members.values():
        scatter[faces] = ((points[faces] - points[faces].mean(axis=0, dtype=float)) ** 2).sum(axis=1).mean()
    distances = ((points[:, None].astype(float) - points[None].astype(float)) ** 2).sum(axis=2)
    distances -= SCATTER_SHARE * (scatter[:, None] + scatter[None])
    while True:
        pairs = [
            (distances[np.ix_(members[a], members[b])].mean(), a, b)
            for a in members
            for b in members
            if a < b
            and not any(np.isin(g, members[a]).any() and np.isin(g, members[b]).any() for g in constraints.exclusions)
        ]
        if not pairs or min(pairs)[0] > threshold:
            break
        _, a, b = min(pairs)
        members[a] = np.concatenate([members[a], members.pop(b)])
    for name, faces in members.items():
        labels[faces] = name
    return canonicalise(labels)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), d=st.integers(1, 12), spread=st.floats(0.1, 1))
def test_two_passes_equal_their_definition(seed: int, n: int, d: int, spread: float) -> None:
    points = clustered_points(seed, n, d, spread)
    photos = np.random.default_rng(seed).integers(0, n, n).astype(str)
    constraints = Constraints(exclusions=same_photo_exclusions(photos))
    threshold = 1.5 * spread * d
    assert canonicalise(cluster_in_two_passes(points, threshold, constraints)) == group_by_definition(
        points, threshold, constraints
    )


def test_a_group_with_scatter_takes_in_a_face_that_a_tight_group_does_not() -> None:
    # The loose group are five corners of a simplex: squared distances of 2 from each other and 0.8 from
    # the centre. The tight group are five equal faces. The lone face is at 2.2 on average from both.
    loose = np.vstack([np.eye(6)[:5], [0.2, 0.2, 0.2, 0.2, 0.2, np.sqrt(1.4)]]).astype(np.float32)
    tight = np.vstack([np.zeros((5, 6)), [0, 0, 0, 0, 0, np.sqrt(2.2)]]).astype(np.float32)
    for points, together in ((loose, 0), (tight, 5)):
        assert agglomerate(points, 2.1).tolist() == [0, 0, 0, 0, 0, 5]
        assert cluster_in_two_passes(points, 2.1, Constraints()).tolist() == [0, 0, 0, 0, 0, together]


def test_scatter_is_the_mean_squared_distance_from_the_centre() -> None:
    points = clustered_points(3, 12, 5, 0.5)
    clusters = np.array([0, 0, 0, 3, 3, 5, 5, 5, 5, 9, 10, 11])
    expected = [
        ((points[clusters == name] - points[clusters == name].mean(axis=0)) ** 2).sum(axis=1).mean()
        for name in clusters
    ]
    np.testing.assert_allclose(scatter_of_clusters(points, clusters), expected, atol=1e-6)
    assert [group.tolist() for group in groups_of(clusters)] == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_at_most_two_faces(n: int) -> None:
    assert cluster_in_two_passes(np.ones((n, 3), np.float32), 1.0, Constraints()).tolist() == [0] * n
