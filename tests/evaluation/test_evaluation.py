"""Scores against slow references written from the definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.evaluation.clustering import bcubed, pairwise
from faceclust.evaluation.verification import best_threshold, read_pairs, threshold_at_far, verify_folds

labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=25)


@given(labels)
def test_bcubed_and_pairwise_from_their_definitions(faces: list[tuple[int, int]]) -> None:
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


@given(st.lists(st.tuples(st.floats(0, 4), st.booleans()), min_size=2, max_size=40))
def test_no_threshold_is_better_than_the_best(pairs: list[tuple[float, bool]]) -> None:
    distances, same = np.array([d for d, _ in pairs]), np.array([s for _, s in pairs])

    def right(threshold: float) -> int:
        return int(((distances < threshold) == same).sum())

    best = right(best_threshold(distances, same))
    candidates = [0.0, *distances, *np.nextafter(distances, np.inf)]
    assert best == max(right(t) for t in candidates)


def test_verification_of_known_pairs() -> None:
    rng = np.random.default_rng(0)
    same = np.arange(6000) % 2 == 0
    distances = np.where(same, rng.normal(1.0, 0.3, 6000), rng.normal(2.2, 0.3, 6000))
    folds = np.repeat(np.arange(10), 600)
    scores = verify_folds(distances, same, folds)
    assert scores.accuracy == pytest.approx(0.977, abs=0.006)  # P(N(0,1) < 2)
    assert scores.threshold == pytest.approx(1.6, abs=0.1)
    assert scores.val == pytest.approx(0.82, abs=0.08)  # impostors' lowest thousandth is 2.2 − 3.09 · 0.3
    assert verify_folds(np.where(same, np.inf, distances), same, folds).val == 0


def test_threshold_at_far_accepts_no_more_than_it_says() -> None:
    impostors = np.arange(1000) / 1000
    assert (impostors < threshold_at_far(impostors, 0.01)).sum() == 10
    assert (impostors < threshold_at_far(impostors, 0)).sum() == 0


def test_pairs_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("2\t1\nAnna\t1\t2\nAnna\t1\tBen\t4\nCarl\t3\t1\nBen\t1\tCarl\t2\n")
    pairs = read_pairs(path)
    assert pairs.left == (("Anna", 1), ("Anna", 1), ("Carl", 3), ("Ben", 1))
    assert pairs.right == (("Anna", 2), ("Ben", 4), ("Carl", 1), ("Carl", 2))
    assert pairs.same.tolist() == [True, False, True, False] and pairs.folds.tolist() == [0, 0, 1, 1]
    for text, where in (
        ("", ":1"),
        ("2\t1\nAnna\t1\n", ":2"),
        ("2\t1\nAnna\tx\t2\n", ":2"),
        ("2\t1\nAnna\t1\t2\n", "promises 4"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=where):
            read_pairs(path)
