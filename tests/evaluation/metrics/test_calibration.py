"""The choice of a threshold, on constructed clusterings."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.evaluation.metrics.calibration import bound_wrong_rate, choose_threshold
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs

PEOPLE, FACES = 40, 6
PERSONS = np.repeat(np.arange(PEOPLE), FACES)
CUTS = [0.9, 1.0, 1.1, 1.2, 1.3, 1.4]


def make_cuts(split_until: float, mixed_from: float, people: int = 10) -> dict[float, JoinedPairs]:
    """Below `split_until` some people are split in two; from `mixed_from` some pairs of people are mixed."""
    joins = {}
    for cut in CUTS:
        groups = PERSONS.copy()
        if cut < split_until:
            halves = np.isin(PERSONS, np.arange(people)) & (np.arange(len(PERSONS)) % FACES >= FACES // 2)
            groups[halves] += 1000
        if cut >= mixed_from:
            groups[(PERSONS % 2 == 1) & np.isin(PERSONS, np.arange(PEOPLE)[-2 * people + 1 :])] -= 1
        joins[cut] = JoinedPairs.from_groups(groups, PERSONS)
    return joins


def test_default_stays_if_all_thresholds_are_supported() -> None:
    found = choose_threshold(make_cuts(0, 9), 0.001, 1.1)
    assert (found.threshold, found.lowest, found.highest, found.kept) == (1.1, 0.9, 1.4, True)
    assert found.wrong == found.held_out == 0 and found.recall == found.held_out_recall == 1


def test_threshold_rises_only_as_far_as_more_is_joined() -> None:
    found = choose_threshold(make_cuts(1.3, 9), 0.001, 1.1)
    assert (found.threshold, found.lowest, found.highest) == (1.3, 1.3, 1.4)
    assert choose_threshold(make_cuts(1.3, 1.4), 0.001, 1.1).threshold == 1.3


def test_gain_of_one_person_counts_as_chance() -> None:
    assert choose_threshold(make_cuts(1.3, 9, people=1), 0.001, 1.1).threshold == 1.1


def test_threshold_falls_if_people_are_mixed() -> None:
    found = choose_threshold(make_cuts(1.3, 1.1), 0.001, 1.1)
    assert (found.threshold, found.highest) == (1.0, 1.0) and found.wrong == 0
    assert choose_threshold(make_cuts(1.3, 1.1), 0.05, 1.1).threshold == 1.3  # more wrong joins are allowed


def test_no_threshold_is_kept_if_all_mix_people() -> None:
    assert not choose_threshold(make_cuts(0, 0), 0.001, 1.1).kept


def test_held_out_people_are_counted_at_the_threshold_of_the_others() -> None:
    """Two people are mixed from 1.2 on. If they are left out, the others support any threshold.

    So nothing from 1.2 on is taken, although it is a small share of all pairs.
    """
    joins = {}
    for cut in CUTS:
        groups = PERSONS.copy()
        groups[(PERSONS < 12) & (np.arange(len(PERSONS)) % 2 == 1)] += 1000 if cut < 1.3 else 0
        if cut >= 1.2:
            groups[PERSONS == PEOPLE - 1] -= 1
        joins[cut] = JoinedPairs.from_groups(groups, PERSONS)
    rate = 1 / (PEOPLE * (PEOPLE - 1) / 2)
    assert choose_threshold(joins, 1.3 * rate, 1.1).threshold == 1.3
    # Over all people the rate is low enough here; over held-out people it is not.
    assert joins[1.4].wrong_rate(joins[1.4].unit_weights) <= 1.005 * rate
    assert choose_threshold(joins, 1.005 * rate, 1.1).highest == 1.2  # which groups everybody as 1.1 does
    found = choose_threshold(joins, 0.99 * rate, 1.1)
    assert found.threshold <= 1.1 and found.wrong == 0
    # Without one of the two, nothing is wrong with 1.3, so held-out people get wrong joins.
    assert found.held_out == pytest.approx(rate, rel=0.2)
    # The pairs of the mixed two are counted with both folds, as nearly all pairs are.
    assert choose_threshold(joins, 1.3 * rate, 1.1).held_out == pytest.approx(rate, rel=0.2)


def test_bound_is_above_zero() -> None:
    assert bound_wrong_rate(make_cuts(0, 9)[1.1]) == pytest.approx(3 / (PEOPLE * (PEOPLE - 1) / 2))
    mixed = make_cuts(0, 0)[1.1]
    assert bound_wrong_rate(mixed) > mixed.wrong_rate(mixed.unit_weights)


def test_result_is_deterministic() -> None:
    assert choose_threshold(make_cuts(1.3, 1.4), 0.001, 1.1) == choose_threshold(make_cuts(1.3, 1.4), 0.001, 1.1)
