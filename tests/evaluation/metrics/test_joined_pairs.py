"""Joined pairs by person, checked against counting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.evaluation.metrics.clustering import bcubed, pairwise
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs, bootstrap_people, weighted_bcubed

faces = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=20)


def split(faces: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    groups = [group if group >= 0 else 100 + i for i, (group, _) in enumerate(faces)]
    return groups, [person for _, person in faces]


@given(faces, st.data())
def test_weighted_rates_match_copied_people(faces: list[tuple[int, int]], data: st.DataObject) -> None:
    """A weight of 2 means two people with the same faces, whose pairs with each other do not count."""
    groups, persons = split(faces)
    names = sorted(set(persons))
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names))))
    copies = [(g, p, copy) for g, p in zip(groups, persons, strict=True) for copy in range(weights[names.index(p)])]
    pairs = [(a, b) for i, a in enumerate(copies) for b in copies[:i]]
    wrong = [a[0] == b[0] for a, b in pairs if a[1] != b[1]]
    right = [a[0] == b[0] for a, b in pairs if a[1:] == b[1:]]
    joins = JoinedPairs.from_groups([group for group, _ in faces], persons)
    assert joins.count_wrongly_joined(weights) == sum(wrong) and joins.count_different_pairs(weights) == len(wrong)
    assert joins.wrong_rate(weights) == pytest.approx(np.mean(wrong) if wrong else np.nan, nan_ok=True)
    assert joins.recall(weights) == pytest.approx(np.mean(right) if right else np.nan, nan_ok=True)
    together = sum(wrong) + sum(right)
    assert joins.precision(weights) == pytest.approx(sum(right) / together if together else np.nan, nan_ok=True)
    if copies:
        precision, recall = weighted_bcubed([group for group, _ in faces], persons, weights[None])

        def compared(a: tuple[int, int, int]) -> list[tuple[int, int, int]]:
            return [b for b in copies if b[0] == a[0] and (b[1] != a[1] or b[2] == a[2])]

        assert precision[0] == pytest.approx(np.mean([np.mean([b[1] == a[1] for b in compared(a)]) for a in copies]))
        own = [[b[0] == a[0] for b in copies if b[1:] == a[1:]] for a in copies]
        assert recall[0] == pytest.approx(np.mean([np.mean(one) for one in own]))


@given(faces)
def test_unit_weights_give_the_plain_scores(faces: list[tuple[int, int]]) -> None:
    groups, persons = [group for group, _ in faces], [person for _, person in faces]
    joins = JoinedPairs.from_groups(groups, persons)
    assert joins.score() == pairwise(groups, persons)
    precision, recall = weighted_bcubed(groups, persons, joins.unit_weights[None])
    expected = bcubed(groups, persons)
    assert (precision[0], recall[0]) == pytest.approx((expected.precision, expected.recall))


def test_bootstrap_is_deterministic() -> None:
    draws = bootstrap_people(7, draws=50, seed=3)
    assert (draws.sum(axis=1) == 7).all() and np.array_equal(draws, bootstrap_people(7, draws=50, seed=3))
