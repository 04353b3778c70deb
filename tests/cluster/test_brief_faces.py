"""Faces of people who are seen only briefly in a video join groups, but neither start nor bridge any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.group import ALGORITHMS, group_faces
from faceclust.cluster.sweep import sweep_thresholds
from faceclust.types import ClusterParams, FaceTable
from tests.cluster.test_incremental import make_people
from tests.cluster.test_linkage import canonicalise
from tests.cluster.test_low_quality import PARAMS, make_faces


def make_brief(points: list[float] | np.ndarray, brief: list[int]) -> FaceTable:
    table = make_faces(points, [])
    may_start = np.ones(len(table), np.bool_)
    may_start[brief] = False
    return replace(table, may_start_group=may_start)


def group_labels(table: FaceTable, constraints: Constraints | None = None, **choices: object) -> list[int]:
    return group_faces(table, replace(PARAMS, **choices), constraints or Constraints()).clustering.labels.tolist()  # type: ignore[arg-type]


def test_brief_faces_join_a_group_but_start_none() -> None:
    assert group_labels(make_brief([0, 0.02, 0.1, 5, 5, 5], [2, 3, 4, 5])) == [1, 1, 1, -1, -1, -1]
    assert group_labels(make_brief([0, 0.02, 0.1, 5, 5, 5], [2])) == [1, 1, 1, 2, 2, 2]


def test_a_brief_face_does_not_bridge_groups() -> None:
    assert group_labels(make_brief([0, 0.02, 1.2, 1.22, 0.6, 0.65], [4, 5]), second_pass=False) == [1, 1, 2, 2, 1, 2]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_library_of_brief_faces_alone_has_no_groups(algorithm: str, count: int) -> None:
    table = make_brief([1.0] * count, list(range(count)))
    assert group_labels(table, algorithm=algorithm, local_scaling=ClusterParams().local_scaling) == [-1] * count


def test_a_brief_face_that_the_user_named_starts_a_group() -> None:
    table = make_brief([0, 0.1, 3, 3], [0, 1, 2, 3])
    assert group_labels(table, Constraints(anchors=np.array([0]))) == [1, 1, -1, -1]
    assert group_labels(table, Constraints([np.array([2, 3])])) == [-1, -1, 1, 1]


def test_low_quality_does_not_make_a_brief_face_start_a_group() -> None:
    table = replace(make_brief([0, 0, 0, 9, 9], [0, 1]), quality=np.array([0.1, 0.1, 0.2, 1, 1], np.float32))
    assert group_labels(table, min_quality=0.5) == [-1, -1, -1, 1, 1]


def test_brief_faces_that_were_alone_join_a_group_of_new_photos() -> None:
    before = make_brief([0, 0.1, 9, 9, 9.1, 9.1], [0, 1])
    first = group_faces(before, PARAMS, Constraints())
    assert first.clustering.labels.tolist() == [-1, -1, 1, 1, 1, 1]
    after = make_brief([0, 0.1, 9, 9, 9.1, 9.1, 0.05, 0.02], [0, 1])
    second = group_faces(after, PARAMS, Constraints(), history=[first.clustering])
    assert second.clustering.labels.tolist() == [2, 2, 1, 1, 1, 1, 2, 2] and not second.full_reason


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), share=st.floats(0, 1))
def test_brief_faces_do_not_change_the_groups_of_others(seed: int, n: int, share: float) -> None:
    points = make_people(seed, n)
    rng = np.random.default_rng(seed)
    brief = np.flatnonzero(rng.random(len(points)) < share)
    table = make_brief(points, brief.tolist())
    labels = np.array(group_labels(table))
    others = np.flatnonzero(table.may_start_group)
    alone = group_faces(table.take(others), PARAMS, Constraints()).clustering.labels
    together = labels[others] >= 0
    joined_alone = together & (alone < 0)  # a face without a group, joined by a brief one
    assert (np.unique(labels[brief][labels[brief] >= 0])[:, None] == labels[others]).any(axis=1).all()
    kept = ~joined_alone
    assert canonicalise(np.where(alone[kept] < 0, -1 - np.arange(kept.sum()), alone[kept])) == canonicalise(
        np.where(labels[others][kept] < 0, -1 - np.arange(kept.sum()), labels[others][kept])
    )
    ((_, clusters),) = sweep_thresholds(
        table.embeddings, table.quality, PARAMS, {PARAMS.threshold: Constraints()}, table.may_start_group
    )
    assert [(clusters == clusters[i]).sum() > 1 for i in range(len(table))] == (labels >= 0).tolist()
