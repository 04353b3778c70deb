"""The split into people to train on and people to measure with."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.training.data.split import MAX_HELD_OUT_FACES, choose_held_out_people, halve_people


def count_faces(people: int, singles: int = 0, faces: int = 3) -> dict[str, int]:
    return {f"person {number}": 1 if number < singles else faces for number in range(people)}


def test_the_split_is_known() -> None:
    """A changed hash would let people that a network was trained on measure its successor."""
    held_out = choose_held_out_people(count_faces(1000), 0.1)
    assert len(held_out) == 107
    assert sorted(held_out)[:4] == ["person 111", "person 138", "person 140", "person 154"]


@given(st.permutations(range(60)), st.integers(0, 39))
def test_the_order_of_people_does_not_matter(order: list[int], singles: int) -> None:
    counts = count_faces(60, singles)
    try:
        expected = choose_held_out_people(counts, 0.1)
    except UsageError:
        return
    names = list(counts)
    assert choose_held_out_people({names[i]: counts[names[i]] for i in order}, 0.1) == expected


def test_new_people_leave_the_others_where_they_are() -> None:
    few, many = choose_held_out_people(count_faces(2000), 0.1), choose_held_out_people(count_faces(4000), 0.1)
    assert few == many & set(count_faces(2000))
    assert len(many) == pytest.approx(400, abs=40)


@pytest.mark.parametrize(("people", "singles"), [(42, 0), (60, 20), (188, 0), (300, 250), (2000, 1900)])
def test_small_data_hold_out_enough_people_to_measure_with(people: int, singles: int) -> None:
    counts = count_faces(people, singles)
    held_out = choose_held_out_people(counts, 0.01)
    repeated = [name for name in held_out if counts[name] > 1]
    assert len(held_out) >= 40 and len(repeated) >= 20 and len(held_out) <= people - 2
    persons = np.repeat(sorted(held_out), [counts[name] for name in sorted(held_out)])
    first = halve_people(persons)
    for half in (persons[first], persons[~first]):
        names, faces = np.unique(half, return_counts=True)
        assert len(names) >= 20 and (faces > 1).sum() >= 10
    assert not set(persons[first]) & set(persons[~first])


def test_the_halves_do_not_depend_on_the_order_of_faces() -> None:
    persons = np.array([f"person {number // 3}" for number in range(99)])
    order = random.Random(0).sample(range(99), 99)
    np.testing.assert_array_equal(halve_people(persons[order]), halve_people(persons)[order])


def test_large_data_hold_out_no_more_faces_than_measuring_needs() -> None:
    counts = count_faces(5000, faces=100)
    held_out = choose_held_out_people(counts, 0.5)
    assert len(held_out) == MAX_HELD_OUT_FACES // 100


@pytest.mark.parametrize(
    ("people", "singles", "message"),
    [
        (0, 0, "0 people, 0 with several faces; at least 42 and 21 are needed"),
        (1, 0, "1 person, 1 with several faces"),
        (41, 0, "41 people, 41 with several faces"),
        (1000, 980, "1,000 people, 20 with several faces"),
    ],
)
def test_too_few_people_are_counted(people: int, singles: int, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        choose_held_out_people(count_faces(people, singles), 0.1)
    assert message in str(raised.value) and raised.value.hint


def test_people_with_one_face_each_are_not_enough_to_train_on() -> None:
    for share in (0.1, 0.5):
        counts = count_faces(42, 21)
        with pytest.raises(UsageError, match=r"too few people are left to train on: 4[0-2] of 42 are needed"):
            choose_held_out_people(counts, share)
