"""Scores against slow references written from the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.evaluation.metrics.clustering import bcubed, pairwise

labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=25)


@given(labels)
def test_bcubed_and_pairwise_match_their_definitions(faces: list[tuple[int, int]]) -> None:
    groups = [g if g >= 0 else 100 + i for i, (g, _) in enumerate(faces)]
    persons = [p for _, p in faces]
    n = range(len(faces))
    precision = np.mean([np.mean([persons[j] == persons[i] for j in n if groups[j] == groups[i]]) for i in n])
    recall = np.mean([np.mean([groups[j] == groups[i] for j in n if persons[j] == persons[i]]) for i in n])
    score = bcubed([g for g, _ in faces], persons)
    assert score.precision == pytest.approx(precision) and score.recall == pytest.approx(recall)
    pairs = [(i, j) for i in n for j in n if i < j]
    together = [pair for pair in pairs if groups[pair[0]] == groups[pair[1]]]
    same = [pair for pair in pairs if persons[pair[0]] == persons[pair[1]]]
    right = len(set(together) & set(same))
    score = pairwise([g for g, _ in faces], persons)
    assert score.precision == pytest.approx(right / len(together) if together else 1)
    assert score.recall == pytest.approx(right / len(same) if same else 1)
    assert score.f <= 1
