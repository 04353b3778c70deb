"""Low-quality faces join finished groups; the remaining ones form groups at a stricter threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.group import ALGORITHMS, group_faces
from faceclust.cluster.low_quality import select_low_quality
from faceclust.errors import UsageError
from faceclust.types import Clustering, ClusterParams, FaceTable
from tests.cluster.test_group import make_table
from tests.cluster.test_incremental import make_people
from tests.cluster.test_linkage import canonicalise

LOW = 0.1
#: Crowding is meant for vectors of one norm, which most of these points are not.
PARAMS = ClusterParams(local_scaling=0)


@pytest.fixture(autouse=True)
def _without_maximum_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow small examples in which more than a fifth of the faces have low quality."""
    monkeypatch.setattr("faceclust.cluster.low_quality.MAX_SHARE", 1)


def make_faces(points: list[float] | np.ndarray, low: list[int], ids: list[int] | None = None) -> FaceTable:
    points = np.asarray(points, np.float32)
    points = points if points.ndim == 2 else points[:, None]
    quality = np.ones(len(points), np.float32)
    quality[low] = LOW
    return replace(make_table(points, [f"{i:016x}" for i in ids] if ids else None), quality=quality)


def group_labels(table: FaceTable, constraints: Constraints | None = None, **choices: object) -> list[int]:
    return group_faces(table, replace(PARAMS, **choices), constraints or Constraints()).clustering.labels.tolist()  # type: ignore[arg-type]


BRIDGE = [0, 0.02, 1.2, 1.22, 0.6, 0.65]


def test_a_low_quality_face_does_not_bridge_groups() -> None:
    assert group_labels(make_faces(BRIDGE, [])) == [1] * 6
    assert group_labels(make_faces(BRIDGE, [4, 5]), min_quality=0.0) == [1] * 6
    assert group_labels(make_faces(BRIDGE, [4, 5]), second_pass=False) == [1, 1, 2, 2, 1, 2]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_adds_low_quality_faces_last(algorithm: str) -> None:
    rng = np.random.default_rng(1)
    axes = np.eye(8)
    good = np.repeat(3 * axes[:2], [6, 4], axis=0) + 0.05 * rng.normal(size=(10, 8))
    low = [3 * axes[0] + 0.5 * axes[5], 3 * axes[1] + 0.5 * axes[5], 9 * axes[6], 9 * axes[6]]
    table = make_faces(np.concatenate([good, low]), [10, 11, 12, 13])
    assert group_labels(table, algorithm=algorithm) == [1] * 6 + [2] * 4 + [1, 2, 3, 3]


def test_remaining_low_quality_faces_form_groups_at_a_stricter_threshold() -> None:
    assert group_labels(make_faces([0, 0, 0, 5, 5], [0, 1, 2])) == [1, 1, 1, 2, 2]
    assert group_labels(make_faces([0, 0, 0], [0, 1, 2])) == [1] * 3
    assert group_labels(make_faces([0, 1.0], [])) == [1, 1]
    assert group_labels(make_faces([0, 1.0], [0, 1])) == [-1, -1]
    assert group_labels(make_faces([0, 0.9, 20], [0, 1])) == [1, 1, -1]
    assert group_labels(make_faces([0, 0.9, 20], [0, 1]), Constraints(exclusions=[np.array([0, 1])])) == [-1] * 3
    assert group_labels(make_faces([0, 0, 0.9], [0, 1])) == [1, 1, 1]  # a good face uses the full threshold
    assert group_labels(make_faces(np.empty((0, 4)), [])) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_people_with_only_low_quality_photos_form_groups(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.cluster.low_quality.MAX_SHARE", 0.2)
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 8)
    points = np.eye(128)[person] + 0.02 * rng.normal(size=(320, 128))
    table = make_faces(points, np.flatnonzero(person < 4).tolist())
    free = group_faces(table, replace(PARAMS, algorithm=algorithm, min_quality=0), Constraints())
    for history in ([], [free.clustering]):  # from scratch, and after an earlier version
        found = group_faces(table, replace(PARAMS, algorithm=algorithm), Constraints(), history=history)
        assert canonicalise(found.clustering.labels) == canonicalise(person)


def test_groups_of_low_quality_faces_stay_and_take_in_more_of_them() -> None:
    before = make_history(make_faces([0, 0.1, 5, 5.1, 50, 60], [0, 1, 2, 3]))
    assert before[0].labels.tolist() == [1, 1, 2, 2, -1, -1]
    # Low-quality faces join earlier ones, also faces that were alone; new good faces form a group beside them.
    now = make_faces([0, 0.1, 5, 5.1, 50, 60, 0.2, 5.2, 5.2], [0, 1, 2, 3, 6])
    found = group_faces(now, PARAMS, Constraints(), history=before)
    assert not found.full_reason and found.clustering.labels.tolist() == [1, 1, 2, 2, -1, -1, 1, 3, 3]
    full = group_faces(now, PARAMS, Constraints(), history=before, full=True)
    assert full.clustering.labels.tolist() == [1, 1, 2, 2, -1, -1, 1, 2, 2]
    # With one confirmed face, the group takes in good faces too.
    confirmed = Constraints(anchors=np.array([2]))
    after = group_faces(now, PARAMS, confirmed, history=before).clustering
    assert after.labels[[2, 3]].tolist() == [2, 2]


def test_confirmed_faces_are_never_left_out() -> None:
    links = Constraints([np.array([0, 1])], [], np.array([3]))
    table = make_faces([0, 9, 0.1, 20, 20.1], [0, 1, 2, 3, 4])
    assert select_low_quality(table.quality, 0.5, links).tolist() == [False, False, True, False, True]
    assert group_labels(table, links) == [1, 1, 1, 2, 2]


def test_two_low_quality_faces_of_a_photo_join_two_people() -> None:
    # Both are nearest to the first group. The nearer one joins it, the other joins its second choice or none.
    points = [0, 0.02, 1.4, 1.42, 0.55, 0.6]
    same_photo = Constraints(exclusions=[np.array([4, 5])])
    assert group_labels(make_faces(points, [4, 5])) == [1, 1, 2, 2, 1, 1]
    assert group_labels(make_faces(points, [4, 5]), same_photo) == [1, 1, 2, 2, 1, 2]
    excluded_from_both = Constraints(exclusions=[np.array([4, 5]), np.array([2, 5])])
    assert group_labels(make_faces(points, [4, 5]), excluded_from_both) == [1, 1, 2, 2, 1, -1]
    rejected = Constraints(exclusions=[np.array([0, 4])])
    assert group_labels(make_faces(points, [4, 5]), rejected) == [1, 1, 2, 2, 2, 1]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(2, 120), share=st.sampled_from([0.0, 0.2, 0.6, 1.0]), photos=st.booleans()
)
def test_low_quality_faces_do_not_change_the_groups_of_good_ones(seed: int, n: int, share: float, photos: bool) -> None:
    rng = np.random.default_rng(seed)
    points, low = make_people(seed, n), rng.random(n) < share
    photo = rng.integers(0, n, n).astype(str)
    table = replace(make_faces(points, np.flatnonzero(low).tolist()), photo_ids=photo)
    exclusions = same_photo_exclusions(photo) if photos else []
    found = np.array(group_labels(table, Constraints(exclusions=exclusions)))
    good = np.flatnonzero(~low)
    alone = Constraints(exclusions=exclusions).restrict_to(good)
    expected = np.array(group_labels(make_faces(points[good], []), alone, min_quality=0.0), int)
    of_good = np.where(found[good] < 0, -1 - good, found[good])
    # A good face alone may have been joined by a low-quality one, so compare partitions and not labels.
    assert canonicalise(of_good) == canonicalise(np.where(expected < 0, -1 - good, expected))
    grouped = found >= 0
    for label in np.unique(found[grouped]):
        if low[found == label].all():  # a group of its own has the stricter threshold
            own = points[found == label].astype(float)
            squared = ((own[:, None] - own) ** 2).sum(axis=2)
            assert squared.sum() / (len(own) * (len(own) - 1)) <= 0.88
        assert not photos or len(set(photo[found == label])) == (found == label).sum()
    for face in np.flatnonzero(low & np.isin(found, found[good[found[good] >= 0]])):
        group = good[found[good] == found[face]]
        squared = ((points[group].astype(float) - points[face]) ** 2).sum(axis=1).mean()
        scatter = ((points[group].astype(float) - points[group].mean(axis=0, dtype=float)) ** 2).sum(axis=1).mean()
        assert squared - 0.5 * scatter <= 1.1 + 1e-4
    again = group_faces(table, PARAMS, Constraints(exclusions=exclusions[::-1])).clustering
    assert again.labels.tolist() == found.tolist()


def make_history(table: FaceTable) -> list[Clustering]:
    return [group_faces(table, PARAMS, Constraints()).clustering]


def test_a_group_with_more_scatter_takes_in_faces_from_farther_away() -> None:
    # The mean squared distance is 1.15, half of the group's scatter 0.125.
    table = make_faces(np.array([[0, 0.5], [0, -0.5], [0.95, 0]]), [2])
    assert group_labels(table) == [1, 1, 1]
    assert group_labels(table, second_pass=False) == [1, 1, -1]


def test_a_low_quality_face_stays_in_its_earlier_group() -> None:
    before = [0, 0.02, 1.0, 20, 30, 40, 50]
    now = make_faces([*before, -0.5, -0.5, -0.5, -0.5, -0.5], [2])
    found = group_faces(now, PARAMS, Constraints(), history=make_history(make_faces(before, [2])))
    assert not found.full_reason and found.clustering.labels.tolist() == [1, 1, 1, *[-1] * 4, *[1] * 5]
    full = group_faces(now, PARAMS, Constraints(), full=True).clustering
    assert full.labels.tolist() == [1, 1, -1, *[-1] * 4, *[1] * 5]


def test_a_lone_low_quality_face_joins_no_group_that_grows_towards_it() -> None:
    # The new faces bring the group within the threshold of it, but are not within the threshold themselves.
    before = [[0, 0]] * 4 + [[1.15, 0]] + [[9 * i, 9] for i in range(1, 7)]
    now = make_faces(np.array([*before, *[[0.25, 0.54], [0.25, -0.54]] * 3]), [4])
    earlier = make_history(make_faces(np.array(before), [4]))
    assert earlier[0].labels[4] == -1
    found = group_faces(now, PARAMS, Constraints(), history=earlier)
    assert not found.full_reason and found.clustering.labels[[0, 4, 11]].tolist() == [1, -1, 1]
    assert group_faces(now, PARAMS, Constraints(), full=True).clustering.labels[4] == 1


def test_new_low_quality_faces_join_and_earlier_ones_stay() -> None:
    before = make_history(make_faces([0, 0.02, 5, 5.02, 0.9, 7, 7.6], [4, 6], [0, 1, 2, 3, 4, 5, 6]))
    assert before[0].labels.tolist() == [1, 1, 2, 2, 1, 3, 3]
    now = make_faces([0, 0.02, 5, 5.02, 0.9, 7, 7.6, 5.3, 30], [4, 6, 7, 8], list(range(9)))
    found = group_faces(now, PARAMS, Constraints(), history=before)
    assert not found.full_reason and found.compared == 2
    assert found.clustering.labels.tolist() == [1, 1, 2, 2, 1, 3, 3, 2, -1]


def test_a_lone_low_quality_face_is_compared_again_only_near_a_new_face() -> None:
    table = make_faces([0, 0.02, 0.04, 1.3], [3], [0, 1, 2, 3])
    before = make_history(table)
    assert before[0].labels.tolist() == [1, 1, 1, -1]
    nearer = make_faces([0, 0.02, 0.04, 1.3, 0.6], [3], [0, 1, 2, 3, 4])
    after = group_faces(nearer, PARAMS, Constraints(), history=before).clustering
    assert after.labels.tolist() == [1, 1, 1, -1, 1]  # compared again, but still too far
    far = make_faces([0, 0.02, 0.04, 1.3, 50], [3], [0, 1, 2, 3, 4])
    assert group_faces(far, PARAMS, Constraints(), history=before).clustering.labels.tolist() == [
        1,
        1,
        1,
        -1,
        -1,
    ]


def test_a_low_quality_face_leaves_its_group_under_a_constraint_and_returns_without_it() -> None:
    table = make_faces([0, 0.02, 0.5], [2])
    before = make_history(table)
    assert before[0].labels.tolist() == [1, 1, 1]
    different = Constraints(exclusions=[np.array([0, 2])])
    removed = group_faces(table, PARAMS, different, history=before).clustering
    assert removed.labels.tolist() == [1, 1, -1]
    returned = group_faces(table, PARAMS, Constraints(), history=[removed, *before])
    assert not returned.full_reason and returned.clustering.labels.tolist() == [1, 1, 1]


def test_at_most_a_fifth_of_the_faces_is_left_out_the_worst_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.cluster.low_quality.MAX_SHARE", 0.2)
    quality = np.linspace(0.4, 0.1, 10, dtype=np.float32)
    assert np.flatnonzero(select_low_quality(quality, 0.5, Constraints())).tolist() == [8, 9]
    assert np.flatnonzero(select_low_quality(quality, 0.12, Constraints())).tolist() == [9]
    linked = Constraints([np.array([9, 0])])
    assert np.flatnonzero(select_low_quality(quality, 0.5, linked)).tolist() == [7, 8]
    assert np.flatnonzero(select_low_quality(np.full(10, 0.3, np.float32), 0.5, Constraints())).tolist() == [0, 1]
    assert group_labels(make_faces([0, 0, 0, 5, 5], [0, 1, 2, 3, 4])) == [1, 1, 1, 2, 2]


def test_another_minimum_quality_clusters_from_scratch() -> None:
    table = make_faces(BRIDGE, [4, 5])
    again = group_faces(table, replace(PARAMS, min_quality=0.05), Constraints(), history=make_history(table))
    assert again.full_reason == "the options have changed"
    for invalid in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="must be from 0 to 1"):
            group_faces(table, ClusterParams(min_quality=invalid), Constraints())
