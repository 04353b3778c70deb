"""Groups keep their numbers, and changes between two runs are listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster.numbering import ALONE, NEW, Changes, compare_clusterings, earlier_groups, number_groups
from faceclust.types import Clustering


def make_clustering(**label_of: int) -> Clustering:
    ids = sorted(label_of)
    labels = np.array([label_of[face] for face in ids], np.int32)
    zeros = np.zeros(len(ids), np.float32)
    return Clustering(np.array(ids, dtype=np.str_), labels, zeros, labels, zeros, labels)


NOTHING = Changes(0, 0, (), (), (), (), (), (), ())


def test_a_group_keeps_the_number_it_shares_most_faces_with() -> None:
    #                    a  b  c  d  e  f  g  h
    clusters = np.array([0, 0, 0, 3, 3, 5, 5, 7])
    earlier = np.array([7, 7, 4, 4, 4, NEW, NEW, ALONE])
    # New groups get unused numbers; faces alone stay −1.
    assert number_groups(clusters, 2, [earlier]).tolist() == [7, 7, 7, 4, 4, 8, 8, -1]


def test_after_a_split_the_larger_part_keeps_the_number() -> None:
    clusters = np.array([0, 0, 2, 2, 2])
    assert number_groups(clusters, 2, [np.array([3, 3, 3, 3, 3])]).tolist() == [4, 4, 3, 3, 3]


def test_anchors_take_precedence_over_sizes() -> None:
    clusters = np.array([0, 0, 0, 0, 0, 5, 5])
    earlier = np.array([5, 5, 5, 3, 3, 3, 3])
    assert number_groups(clusters, 2, [earlier]).tolist() == [5, 5, 5, 5, 5, 3, 3]
    assert number_groups(clusters, 2, [earlier], anchors=np.array([4])).tolist() == [3, 3, 3, 3, 3, 6, 6]


def test_a_group_below_the_minimum_size_gives_up_its_number() -> None:
    clusters = np.array([0, 0, 2, 2, 2, 2])
    assert number_groups(clusters, 3, [np.array([1, 1, 2, 2, 1, ALONE])]).tolist() == [-1, -1, 2, 2, 2, 2]


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(-2, 5), max_size=40))
def test_numbers_relabel_the_clusters(groups: list[int], before: list[int]) -> None:
    n = min(len(groups), len(before))
    firsts: dict[int, int] = {}
    clusters = np.array([firsts.setdefault(group, i) for i, group in enumerate(groups[:n])], dtype=np.int64)
    numbers = number_groups(clusters, 2, [np.array(before[:n], dtype=np.int64)]).tolist()
    pairs = set(zip(clusters.tolist(), numbers, strict=True))
    assert len(pairs) == len(set(clusters.tolist()))
    named = [number for _, number in pairs if number >= 0]
    assert len(named) == len(set(named))
    for cluster, number in pairs:
        assert (number == ALONE) == (clusters.tolist().count(cluster) < 2)


def test_earlier_groups_of_kept_new_and_removed_faces() -> None:
    earlier = make_clustering(a=1, b=-1, x=1)
    assert earlier_groups(np.array(["a", "b", "c"]), earlier).tolist() == [1, ALONE, NEW]
    assert earlier_groups(np.array(["a"]), None).tolist() == [NEW]
    assert earlier_groups(np.array([], dtype=np.str_), earlier).tolist() == []


def test_equal_clusterings_have_no_changes() -> None:
    same = make_clustering(a=1, b=1, c=-1)
    assert compare_clusterings(same, same) == NOTHING and not compare_clusterings(same, same)


def test_changes_list_joined_new_and_removed_faces() -> None:
    found = compare_clusterings(
        make_clustering(a=1, b=1, c=-1, z=1), make_clustering(a=1, b=1, c=1, d=1, e=2, f=2, g=-1)
    )
    assert (found.added, found.removed) == (4, 1)
    assert found.joined == (("d", 1),) and found.no_longer_alone == (("c", 1),)
    assert found.new_groups == (2,)
    assert not (found.merged or found.split or found.moved or found.now_alone)


def test_changes_list_merges_splits_moves_and_faces_now_alone() -> None:
    before = make_clustering(a=1, b=1, c=1, d=1, e=2, f=2, g=3, h=3, i=3, j=3, k=3)
    after = make_clustering(a=1, b=1, c=1, d=-1, e=1, f=1, g=3, h=3, i=1, j=4, k=4)
    found = compare_clusterings(before, after)
    assert found.merged == ((2, 1),)
    assert found.split == ((3, 4),)
    assert found.moved == (("i", 3, 1),)
    assert found.now_alone == (("d", 1),)
    assert not (found.joined or found.no_longer_alone or found.new_groups)


def test_changes_list_faces_that_join_a_group_split_off() -> None:
    found = compare_clusterings(
        make_clustering(a=1, b=1, c=1, d=1, x=-1), make_clustering(a=1, b=1, c=2, d=2, x=2, y=2)
    )
    assert found.split == ((1, 2),) and found.joined == (("y", 2),) and found.no_longer_alone == (("x", 2),)
    assert found.new_groups == ()


def test_new_groups_get_numbers_never_used_before() -> None:
    assert number_groups(np.array([0, 0]), 2, [np.array([NEW, NEW])], highest_taken=6).tolist() == [7, 7]


def test_a_number_returns_from_the_run_before_the_last() -> None:
    clusters = np.array([0, 0, 2, 2, 4, 4])
    last, before = np.array([1, 1, ALONE, ALONE, ALONE, ALONE]), np.array([1, 1, 2, 2, 1, 1])
    assert number_groups(clusters, 2, [last, before]).tolist() == [1, 1, 2, 2, 3, 3]


def count_pairs(a: Sequence[int], b: Sequence[int]) -> Counter[tuple[int, int]]:
    return Counter(pair for pair in zip(a, b, strict=True) if min(pair) >= 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-2, 6), st.booleans()), min_size=1, max_size=40))
def test_numbers_are_taken_by_the_best_pairs_first(faces: list[tuple[int, int, bool]]) -> None:
    groups, before, anchored = (list(column) for column in zip(*faces, strict=True))
    clusters = np.array([groups.index(group) for group in groups])
    anchors = np.flatnonzero(anchored)
    large = [group for group in groups if groups.count(group) > 1]
    common = count_pairs([group if group in large else -1 for group in groups], before)
    on_anchors = count_pairs([group if anchored[i] else -1 for i, group in enumerate(groups)], before)
    order = sorted(common, key=lambda pair: (-on_anchors[pair], -common[pair], pair[1], groups.index(pair[0])))
    expected: dict[int, int] = {}
    for group, number in order:
        if group not in expected and number not in expected.values():
            expected[group] = number
    found = number_groups(clusters, 2, [np.array(before)], 0, anchors)
    for group, number in zip(groups, found.tolist(), strict=True):
        if group in expected:
            assert number == expected[group]
        else:
            assert number == -1 if group not in large else number > max(0, *before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5), st.sampled_from("nbx")), max_size=40))
def test_changes_equal_a_count_of_pairs(faces: list[tuple[int, int, str]]) -> None:
    """Faces with their groups before and after, that are new (n), removed (x) or in both (b)."""
    ids = [f"{i:03}" for i in range(len(faces))]
    earlier = make_clustering(**{face: old for face, (old, _, kind) in zip(ids, faces, strict=True) if kind != "n"})
    later = make_clustering(**{face: now for face, (_, now, kind) in zip(ids, faces, strict=True) if kind != "x"})
    before = [{"n": NEW, "b": old}[kind] for old, _, kind in faces if kind != "x"]
    after = [now for _, now, kind in faces if kind != "x"]
    pairs = count_pairs(before, after)
    most = {pair: (-count, pair) for pair, count in pairs.items()}
    source = {now: min((k for k in most if k[1] == now), key=lambda k: (most[k][0], k[0]))[0] for _, now in pairs}
    target = {old: min((k for k in most if k[0] == old), key=lambda k: (most[k][0], k[1]))[1] for old, _ in pairs}
    old_groups, groups = {number for number in before if number >= 0}, {number for number in after if number >= 0}
    split = {(source[number], number) for number in groups - old_groups if number in source}
    merged = {(number, target[number]) for number in old_groups - groups if target.get(number) in old_groups}
    known, shown = old_groups | source.keys(), later.face_ids.tolist()
    rows = list(zip(shown, before, after, strict=True))
    found = compare_clusterings(earlier, later)
    assert found.joined == tuple((face, now) for face, old, now in rows if old == NEW and now in known)
    assert found.no_longer_alone == tuple((face, now) for face, old, now in rows if old == ALONE and now in known)
    assert found.now_alone == tuple((face, old) for face, old, now in rows if old >= 0 > now)
    assert found.new_groups == tuple(sorted(groups - old_groups - source.keys()))
    assert found.split == tuple(sorted(split)) and found.merged == tuple(sorted(merged))
    moved = [row for row in rows if min(row[1:]) >= 0 and row[1] != row[2] and row[1:] not in split | merged]
    assert found.moved == tuple(moved)
    assert (found.added, found.removed) == (before.count(NEW), sum(kind == "x" for *_, kind in faces))
