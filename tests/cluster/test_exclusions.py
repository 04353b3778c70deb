"""Exclusions in integer arrays, compared with sets of Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.cluster import constraints as module
from faceclust.cluster.constraints import Constraints, ExclusionIndex, collapse_linked, find_contradictions
from faceclust.cluster.face_sets import FaceSets
from faceclust.cluster.labels import groups_of, label_linked


class Reference:
    """Clusters as sets of faces, and the numbers of the exclusions that they hold."""

    def __init__(self, exclusions: list[np.ndarray], start: np.ndarray) -> None:
        self.exclusions = [set(one.tolist()) for one in exclusions]
        self.cluster_of = start.copy()

    def held(self, cluster: int) -> set[int]:
        faces = set(np.flatnonzero(self.cluster_of == cluster).tolist())
        return {number for number, one in enumerate(self.exclusions) if one & faces}

    def merge(self, into: int, other: int) -> None:
        self.cluster_of[self.cluster_of == other] = into

    def excluded(self, cluster: int) -> list[int]:
        names = set(self.cluster_of.tolist()) - {cluster}
        return sorted(name for name in names if self.held(name) & self.held(cluster))


def draw_exclusions(rng: np.random.Generator, n: int, largest: int) -> list[np.ndarray]:
    """Draw exclusions of very different sizes, some of which share faces."""
    sizes = rng.integers(2, min(n, largest) + 1, rng.integers(0, n))
    return [rng.permutation(n)[:size] for size in sizes]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 40),
    largest=st.integers(2, 40),
    few=st.sampled_from([0, 1, 32]),
    chunk=st.sampled_from([3, 1 << 13]),
)
def test_the_index_equals_sets(seed: int, n: int, largest: int, few: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    exclusions = draw_exclusions(rng, n, largest)
    start = label_linked(n, [rng.permutation(n)[:3]])
    reference = Reference(exclusions, start)
    index = ExclusionIndex(exclusions, lambda faces: reference.cluster_of[faces], n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW_CLUSTERS", few)
        patch.setattr(module, "_CHUNK", chunk)
        patch.setattr(module, "_MIN_BLOCK_PAIRS", 6)
        for _ in range(6):
            compare(rng, index, reference)
            alive = rng.permutation(np.unique(reference.cluster_of))
            if rng.random() < 0.5:
                into, *others = alive[: rng.integers(1, 4)].tolist()
                index.merge(into, others)
                pairs = [(into, other) for other in others]
            else:
                half = alive[: 2 * rng.integers(0, len(alive) // 2 + 1)].reshape(-1, 2)
                index.merge_pairs(half[:, 0], half[:, 1])
                pairs = half.tolist()
            for pair in pairs:
                reference.merge(*pair)


def compare(rng: np.random.Generator, index: ExclusionIndex, reference: Reference) -> None:
    alive = np.unique(reference.cluster_of)
    a, b = rng.choice(alive, 30), np.append(rng.choice(alive, 29), -1)
    expected = [
        other >= 0 and bool(reference.held(one) & reference.held(other)) for one, other in zip(a, b, strict=True)
    ]
    different = a != b
    assert index.conflicts(a, b)[different].tolist() == np.array(expected)[different].tolist()
    for cluster in alive[:3].tolist():
        assert index.excluded_clusters(cluster).tolist() == reference.excluded(cluster)
    some = np.unique(rng.choice(alive, 4))
    held = [number for cluster in some.tolist() for number in reference.held(cluster)]
    assert index.has_contradiction(some) == (len(held) > len(set(held)))
    columns = np.unique(rng.choice(alive, len(alive)))
    tile = np.zeros((len(some), len(columns)), np.float32)
    mask = index.build_tile_mask(some, columns)
    if mask:
        mask(tile, slice(0, len(some)), slice(0, len(columns)))
    expected_tile = [[bool(reference.held(row) & reference.held(column)) for column in columns] for row in some]
    assert (np.isnan(tile) == expected_tile).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30))
def test_linked_faces_do_not_exclude_each_other(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    exclusions = draw_exclusions(rng, n, n) if n > 1 else []
    linked, clusters = (label_linked(n, groups_of(rng.integers(0, n, n))) for _ in range(2))
    clusters = label_linked(n, groups_of(linked), groups_of(clusters))
    collapsed, contradictions = [], []
    for one in exclusions:
        kept = [face for i, face in enumerate(one) if linked[face] not in linked[one[:i]]]
        collapsed.append(kept)
        together = [[face for face in kept if clusters[face] == name] for name in sorted({*clusters[kept].tolist()})]
        contradictions += [sorted(faces) for faces in together if len(faces) > 1]
    assert as_lists(collapse_linked(exclusions, linked)) == [kept for kept in collapsed if len(kept) > 1]
    assert as_lists(find_contradictions(clusters, linked, exclusions)) == contradictions


def as_lists(sets: FaceSets) -> list[list[int]]:
    return [one.tolist() for one in sets]


def test_face_sets_are_a_sequence_of_arrays() -> None:
    sets = FaceSets.join([np.array([4, 2]), np.array([], np.int64)], groups_of(np.array([1, 0, 1, 0, 2])), [])
    assert as_lists(sets) == [[4, 2], [], [1, 3], [0, 2]]
    assert (len(sets), sets[-1].tolist(), as_lists(sets[1:3])) == (4, [0, 2], [[], [1, 3]])
    assert sets.numbers.tolist() == [0, 0, 2, 2, 3, 3]
    assert as_lists(FaceSets.of_pairs(np.array([[3, 1], [0, 2]]))) == [[3, 1], [0, 2]]
    assert FaceSets.of(sets) is sets and not FaceSets.of(()) and sets.members.dtype == np.int64
    with pytest.raises(IndexError):
        sets[4]


def test_exclusions_take_few_bytes() -> None:
    n = 30_000
    exclusions = Constraints(exclusions=groups_of(np.arange(n) // 3)).exclusions
    index = ExclusionIndex(exclusions, lambda faces: faces, n)
    arrays = [value for value in (*vars(index).values(), *vars(exclusions).values()) if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) <= 30 * n
