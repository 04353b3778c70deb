"""NMI, V-measure and same-photo conflicts, checked against their definitions and scikit-learn."""

from __future__ import annotations

from collections import Counter
from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import homogeneity_completeness_v_measure, normalized_mutual_info_score

from faceclust.evaluation.metrics.clustering import count_conflicts, information_scores

faces = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=25)


def separate_singletons(groups: list[int]) -> list[int]:
    """Make each negative label a group of its own."""
    return [group if group >= 0 else 100 + i for i, group in enumerate(groups)]


def entropy(counts: Counter[object], condition_counts: Counter[object] | None = None) -> float:
    """H(X) from counts, or H(X | Y) from counts of pairs (x, y) and of y."""
    n = sum(counts.values())
    total_of = (lambda key: condition_counts[key[1]]) if condition_counts else (lambda key: n)
    return -sum(count / n * log(count / total_of(key)) for key, count in counts.items())


@given(faces)
def test_information_scores_match_their_definition(faces: list[tuple[int, int]]) -> None:
    groups, persons = separate_singletons([group for group, _ in faces]), [person for _, person in faces]
    of_groups, of_persons = Counter(groups), Counter(persons)
    h_person, h_group = entropy(of_persons), entropy(of_groups)
    homogeneity = 1 - entropy(Counter(zip(persons, groups, strict=True)), of_groups) / h_person if h_person else 1
    completeness = 1 - entropy(Counter(zip(groups, persons, strict=True)), of_persons) / h_group if h_group else 1
    shared = h_person - entropy(Counter(zip(persons, groups, strict=True)), of_groups)
    found = information_scores([group for group, _ in faces], persons)
    assert found.homogeneity == pytest.approx(homogeneity, abs=1e-9)
    assert found.completeness == pytest.approx(completeness, abs=1e-9)
    if h_person and h_group:
        assert found.nmi == pytest.approx(shared / sqrt(h_person * h_group), abs=1e-9)


@given(faces)
def test_information_scores_match_scikit_learn(faces: list[tuple[int, int]]) -> None:
    groups, persons = separate_singletons([group for group, _ in faces]), [person for _, person in faces]
    found = information_scores([group for group, _ in faces], persons)
    expected = homogeneity_completeness_v_measure(persons, groups)
    assert (found.homogeneity, found.completeness, found.v_measure) == pytest.approx(expected, abs=1e-9)
    nmi = normalized_mutual_info_score(persons, groups, average_method="geometric")
    assert found.nmi == pytest.approx(nmi, abs=1e-9)


@given(faces)
def test_conflict_is_a_group_with_two_faces_of_a_photo(faces: list[tuple[int, int]]) -> None:
    groups, photos = separate_singletons([group for group, _ in faces]), [photo for _, photo in faces]
    twice = {group for (group, _), count in Counter(zip(groups, photos, strict=True)).items() if count > 1}
    assert count_conflicts([group for group, _ in faces], photos) == len(twice)


def test_no_faces_have_no_conflicts() -> None:
    assert count_conflicts([], []) == 0
