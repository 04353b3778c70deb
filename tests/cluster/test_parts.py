"""Parts: the groups without the user's links."""

from __future__ import annotations

import numpy as np

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.labels import groups_of
from faceclust.cluster.numbering import ALONE, NEW
from faceclust.cluster.parts import parts_of, restore_removed, without_links
from faceclust.cluster.two_passes import cluster_in_two_passes
from faceclust.types import Float32
from tests.cluster.test_linkage import canonicalise


def group(embeddings: Float32, constraints: Constraints) -> np.ndarray:
    return cluster_in_two_passes(embeddings, 1.0, constraints)


def make_line(*places: float) -> np.ndarray:
    return np.array([[place] for place in places], np.float32)


def find_parts(points: np.ndarray, links: list[list[int]], earlier: list[int]) -> list[int]:
    constraints = Constraints([np.array(link) for link in links])
    clusters = group(points, Constraints([*constraints.must_link, *groups_of(np.array(earlier))]))
    return canonicalise(parts_of(points, clusters, constraints, np.array(earlier)))


def test_without_links_parts_are_the_clusters() -> None:
    assert find_parts(make_line(0, 0.1, 5, 5.1, 9), [], [1, 1, 2, 2, ALONE]) == [0, 0, 2, 2, 4]


def test_a_link_between_parts_keeps_them_as_parts() -> None:
    assert find_parts(make_line(0, 0.1, 5, 5.1, 9), [[0, 2]], [1, 1, 2, 2, ALONE]) == [0, 0, 2, 2, 4]
    assert find_parts(make_line(0, 0.1, 5, 5.1, 9), [[0, 4]], [1, 1, 2, 2, ALONE]) == [0, 0, 2, 2, 4]


def test_new_faces_join_the_nearest_part() -> None:
    points = make_line(0, 0.1, 1.5, 1.6, 1.2)
    assert find_parts(points, [[0, 2]], [7, 7, 3, 3, NEW]) == [0, 0, 2, 2, 2]


def test_a_cluster_that_links_do_not_connect_is_one_part() -> None:
    # Each link is inside one of the known parts; none connects them.
    points = make_line(0, 0.1, 0.2, 0.3)
    assert find_parts(points, [[0, 1], [2, 3]], [7, 7, 3, 3]) == [0, 0, 0, 0]


def test_parts_are_formed_without_links_and_exclusions_between_linked_faces() -> None:
    # 0, 1 and 2 are one person, 3 another, and 2 and 4 are on one photo.
    constraints = Constraints([np.array([0, 1, 2])], [np.array([0, 1, 2, 3]), np.array([2, 4]), np.array([0, 1])])
    unlinked = without_links(constraints, 5)
    assert not unlinked.must_link
    assert [group.tolist() for group in unlinked.exclusions] == [[0, 3], [2, 4]]


def test_removed_faces_still_count_for_their_part() -> None:
    new = np.array([False, False, True, True, True])
    restored = restore_removed(np.array([0, 0, 2, 3, 4]), np.array([5, 5, 5, 6, NEW]), new)
    assert restored.tolist() == [0, 0, 0, 3, 4]
