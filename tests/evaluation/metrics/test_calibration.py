"""The threshold that named people bear out: on groupings made for it."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.evaluation.metrics.calibration import bound_wrong_rate, choose_threshold
from faceclust.evaluation.metrics.joined_pairs import JoinedPairs

PEOPLE, FACES = 40, 6
PERSONS = np.repeat(np.arange(PEOPLE), FACES)
CUTS = [0.9, 1.0, 1.1, 1.2, 1.3, 1.4]


def cuts(split_until: float, mixed_from: float, people: int = 10) -> dict[float, JoinedPairs]:
    """Below `split_until`, some people are in halves; from `mixed_from` on, some pairs of people are mixed."""
    made = {}
    for cut in CUTS:
        groups = PERSONS.copy()
        if cut < split_until:
            halves = np.isin(PERSONS, np.arange(people)) & (np.arange(len(PERSONS)) % FACES >= FACES // 2)
            groups[halves] += 1000
        if cut >= mixed_from:
            groups[(PERSONS % 2 == 1) & np.isin(PERSONS, np.arange(PEOPLE)[-2 * people + 1 :])] -= 1
        made[cut] = JoinedPairs.from_groups(groups, PERSONS)
    return made


def test_the_usual_one_stays_where_nothing_speaks_against_it() -> None:
    found = choose_threshold(cuts(0, 9), 0.001, 1.1)
    assert (found.threshold, found.lowest, found.highest, found.kept) == (1.1, 0.9, 1.4, True)
    assert found.wrong == found.held_out == 0 and found.recall == found.held_out_recall == 1


def test_it_rises_as_far_as_more_is_joined_and_no_farther() -> None:
    found = choose_threshold(cuts(1.3, 9), 0.001, 1.1)
    assert (found.threshold, found.lowest, found.highest) == (1.3, 1.3, 1.4)
    assert choose_threshold(cuts(1.3, 1.4), 0.001, 1.1).threshold == 1.3


def test_one_persons_gain_may_be_chance() -> None:
    assert choose_threshold(cuts(1.3, 9, people=1), 0.001, 1.1).threshold == 1.1


def test_it_falls_where_people_are_mixed() -> None:
    found = choose_threshold(cuts(1.3, 1.1), 0.001, 1.1)
    assert (found.threshold, found.highest) == (1.0, 1.0) and found.wrong == 0
    assert choose_threshold(cuts(1.3, 1.1), 0.05, 1.1).threshold == 1.3  # more is allowed


def test_none_is_said_to_be_none() -> None:
    assert not choose_threshold(cuts(0, 0), 0.001, 1.1).kept


def test_what_is_held_out_is_counted_at_the_others_threshold() -> None:
    """Two people are mixed from 1.2 on. Left out of choosing, they would be taken for one at whatever the
    others bear out; so nothing from 1.2 on is taken, though of all pairs it is little."""
    made = {}
    for cut in CUTS:
        groups = PERSONS.copy()
        groups[(PERSONS < 12) & (np.arange(len(PERSONS)) % 2 == 1)] += 1000 if cut < 1.3 else 0
        if cut >= 1.2:
            groups[PERSONS == PEOPLE - 1] -= 1
        made[cut] = JoinedPairs.from_groups(groups, PERSONS)
    rate = 1 / (PEOPLE * (PEOPLE - 1) / 2)
    assert choose_threshold(made, 1.3 * rate, 1.1).threshold == 1.3
    # Over all people the rate is low enough here; of those held out it is not.
    assert made[1.4].wrong_rate(made[1.4].unit_weights) <= 1.005 * rate
    assert choose_threshold(made, 1.005 * rate, 1.1).highest == 1.2  # by which nobody is grouped otherwise than by 1.1
    found = choose_threshold(made, 0.99 * rate, 1.1)
    assert found.threshold <= 1.1 and found.wrong == 0
    # Without one of the two nothing speaks against 1.3: who had no part in choosing fares no better for it.
    assert found.held_out == pytest.approx(rate, rel=0.2)
    # Both of a mixed pair's pairs are counted where either is left out: nearly as all others are.
    assert choose_threshold(made, 1.3 * rate, 1.1).held_out == pytest.approx(rate, rel=0.2)


def test_the_bound_is_never_nought() -> None:
    assert bound_wrong_rate(cuts(0, 9)[1.1]) == pytest.approx(3 / (PEOPLE * (PEOPLE - 1) / 2))
    mixed = cuts(0, 0)[1.1]
    assert bound_wrong_rate(mixed) > mixed.wrong_rate(mixed.unit_weights)


def test_the_same_people_give_the_same() -> None:
    assert choose_threshold(cuts(1.3, 1.4), 0.001, 1.1) == choose_threshold(cuts(1.3, 1.4), 0.001, 1.1)
