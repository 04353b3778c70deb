"""New faces join earlier groups, which otherwise stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.incremental import extend_groups
from faceclust.cluster.numbering import ALONE, NEW, number_groups
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.types import Float32, Indices
from tests.cluster.test_linkage import canonicalise

T = 1.1


def group(embeddings: Float32, constraints: Constraints) -> np.ndarray:
    return cluster_in_two_passes(embeddings, T, constraints)


def group_some(points: Float32) -> Callable[[Indices, Constraints], np.ndarray]:
    """Return a function that groups some of the points, given by their positions."""
    return lambda some, constraints: group(points[some], constraints)


def make_people(seed: int, n: int, dimension: int = 16) -> np.ndarray:
    """Groups with scatter, close enough to each other for single faces to make a difference."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(2, n // 8), dimension))
    centres *= 1.6 / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[rng.integers(0, len(centres), n)] + 0.16 * rng.normal(size=(n, dimension))).astype(np.float32)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(4, 150), new=st.integers(1, 12), same_photos=st.booleans())
def test_only_faces_within_the_threshold_of_a_new_one_change(seed: int, n: int, new: int, same_photos: bool) -> None:
    points = make_people(seed, n + new)
    photos = np.random.default_rng(seed).integers(0, n if same_photos else 10**6, n + new).astype(str)
    old = Constraints(exclusions=same_photo_exclusions(photos[:n]))
    earlier = np.append(number_groups(group(points[:n], old), 2), np.full(new, NEW)).astype(np.int64)
    everyone = Constraints(exclusions=same_photo_exclusions(photos))
    extended = extend_groups(points, earlier, T, everyone, group_some(points))
    assert extended.new.sum() == new
    now = number_groups(extended.clusters, 2, [earlier])
    changed = np.flatnonzero((now != earlier) & (earlier != NEW))
    squared = ((points[:, None].astype(float) - points[None, n:].astype(float)) ** 2).sum(axis=2).min(axis=1)
    assert (squared[changed] <= T + 1e-4).all()
    # Groups never lose faces.
    assert (earlier[changed] == ALONE).all()
    pairs = list(zip(now[now >= 0].tolist(), photos[now >= 0].tolist(), strict=True))
    assert len(pairs) == len(set(pairs))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(4, 120))
def test_extending_an_empty_library_is_clustering_from_scratch(seed: int, n: int) -> None:
    points = make_people(seed, n)
    extended = extend_groups(points, np.full(n, NEW), T, Constraints(), group_some(points))
    assert canonicalise(extended.clusters) == canonicalise(group(points, Constraints()))
    assert extended.would_merge == 0


def test_without_new_faces_nothing_changes() -> None:
    points = make_people(1, 60)
    earlier = number_groups(group(points, Constraints()), 2).astype(np.int64)
    extended = extend_groups(points, earlier, T, Constraints(), group_some(points))
    assert extended.new.sum() == 0
    assert number_groups(extended.clusters, 2, [earlier]).tolist() == earlier.tolist()


def make_line(*places: float) -> np.ndarray:
    return np.array([[place] for place in places], np.float32)


def test_a_face_between_two_groups_joins_one_and_the_possible_merge_is_counted() -> None:
    # The groups' distance is 1.44 plus their scatter; two faces in the middle make it smaller.
    points = make_line(0, 0.02, 1.2, 1.22, 0.6, 0.61)
    earlier = np.array([1, 1, 2, 2, NEW, NEW])
    extended = extend_groups(points, earlier, T, Constraints(), group_some(points))
    numbers = number_groups(extended.clusters, 2, [earlier]).tolist()
    assert numbers[:4] == [1, 1, 2, 2] and numbers[4] == numbers[5] in (1, 2)
    assert extended.would_merge == 1
    assert len(set(group(points, Constraints()).tolist())) == 1  # what --full would do


def test_a_new_face_groups_with_a_lone_one() -> None:
    points = make_line(0, 3, 3.9, 7, 3.5)
    extended = extend_groups(
        points, np.array([ALONE, ALONE, ALONE, ALONE, NEW]), 0.7, Constraints(), group_some(points)
    )
    assert canonicalise(extended.clusters) == [0, 1, 1, 3, 1]


def test_must_links_join_earlier_groups() -> None:
    points = make_line(0, 0.1, 50, 50.1, 90)
    extended = extend_groups(
        points, np.array([1, 1, 2, 2, ALONE]), T, Constraints([np.array([1, 3])]), group_some(points)
    )
    assert canonicalise(extended.clusters) == [0, 0, 0, 0, 4]
    extended = extend_groups(
        points, np.array([1, 1, 2, 2, ALONE]), T, Constraints([np.array([0, 4])]), group_some(points)
    )
    assert canonicalise(extended.clusters) == [0, 0, 2, 2, 0]


def test_an_earlier_group_that_violates_a_constraint_is_split() -> None:
    points = make_line(0, 0.1, 0.7, 0.8, 50, 50.1)
    earlier = np.array([1, 1, 1, 1, 2, 2])
    different = Constraints(exclusions=[np.array([0, 3])])
    extended = extend_groups(points, earlier, T, different, group_some(points))
    labels = canonicalise(extended.clusters)
    assert labels[0] == labels[1] != labels[2] == labels[3] and labels[4] == labels[5] == 4
    assert extended.new.sum() == 4


def test_a_link_to_a_new_face_does_not_free_the_group() -> None:
    points = make_line(0, 0.02, 1.0, 1.02, 0.05)
    earlier = np.array([1, 1, 2, 2, NEW])
    extended = extend_groups(points, earlier, T, Constraints([np.array([0, 4])]), group_some(points))
    assert canonicalise(extended.clusters) == [0, 0, 2, 2, 0]
    assert extended.would_merge == 1


def test_confirming_lone_faces_changes_only_them() -> None:
    points = make_line(0, 0.02, 1.2, 1.22, 0.5, 0.55)
    earlier = np.array([1, 1, 2, 2, ALONE, ALONE])
    extended = extend_groups(points, earlier, T, Constraints([np.array([0, 4, 5])]), group_some(points))
    assert canonicalise(extended.clusters) == [0, 0, 2, 2, 0, 0] and extended.new.sum() == 0


def test_faces_of_groups_that_were_too_small_stay_alone() -> None:
    points = make_line(0, 0.01, 0.65, 1.25)
    earlier = np.full(4, ALONE)
    extended = extend_groups(points, earlier, 0.7, Constraints([np.array([0, 1])]), group_some(points))
    assert canonicalise(extended.clusters) == [0, 0, 2, 3] and extended.new.sum() == 0


def test_two_groups_of_one_person_lose_only_the_contradicting_faces() -> None:
    # 0 and 4 are confirmed as one person; 2 and 6 have no label and share a photo.
    points = make_line(0, 0.01, 0.02, 0.03, 0.5, 0.51, 0.52, 0.53)
    earlier = np.array([1, 1, 1, 1, 2, 2, 2, 2])
    constraints = Constraints([np.array([0, 4])], [np.array([2, 6])])
    extended = extend_groups(points, earlier, T, constraints, group_some(points))
    labels = canonicalise(extended.clusters)
    assert extended.new.sum() == 2 and labels[2] != labels[6]
    assert [labels[i] for i in (0, 1, 3, 4, 5, 7)] == [0] * 6


def test_only_the_face_confirmed_as_somebody_else_leaves() -> None:
    # 0 and 1 are confirmed as one person, 3 as another.
    points = make_line(0, 0.01, 0.02, 0.03, 0.04)
    constraints = Constraints([np.array([0, 1])], [np.array([0, 1, 3])])
    extended = extend_groups(points, np.full(5, 1), T, constraints, group_some(points))
    assert canonicalise(extended.clusters) == [0, 0, 0, 3, 0] and extended.new.sum() == 1
