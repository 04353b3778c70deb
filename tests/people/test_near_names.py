"""New names that may be misspellings of known ones."""

from __future__ import annotations

import random
import time

import pytest

from faceclust.people.names import MAX_NAME_LENGTH
from faceclust.people.near_names import find_near_name


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("anna muller", "Anna Müller"),
        ("Anna Mueller", "Anna Müller"),
        ("AnnaMaria", "Anna Maria"),
        ("Anna-Maria", "Anna Maria"),
        ("Muller, Anna", "Müller Anna"),
        ("O\u2019Brien", "O'Brien"),
        ("O Brien", "O'Brien"),
        ("Zoe", "Zoë"),
        ("Jose", "José"),
        ("Soren", "Søren"),
        ("Soeren", "Søren"),
        ("Lukasz", "Łukasz"),
        ("Zo\u0065\u0308.", "Zoë"),
        ("Eilen Collins", "Eileen Collins"),
        ("Eileen Colins", "Eileen Collins"),
        ("Anna Müler", "Anna Müller"),
        ("Maria", "Marai"),
        ("Chirstian", "Christian"),
        ("Alexandre", "Alexander"),
        ("Вера Павловна", "Вера Павлована"),
        ("李 明", "李明"),
    ],
)
def test_a_misspelling_is_near(name: str, known: str) -> None:
    assert find_near_name(name, ["Ben", known]) == known
    assert find_near_name(known, ["Ben", name]) == name


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Anna", "Hanna"),
        ("Jon", "John"),
        ("Mia", "Max"),
        ("Oma", "Opa"),
        ("Peter", "Petra"),
        ("Anna Müller", "Hanna Müller"),
        ("Tim Schmidt", "Tom Schmidt"),
        ("Anna", "Anna Müller"),
        ("Anna Müller", "Anna Schmidt"),
        ("Maximilian I", "Maximilian II"),
        ("Person 12", "Person 13"),
        ("李明", "李强"),
        ("राम", "रमा"),
        ("😀", "😁"),
        ("?", "!"),
    ],
)
def test_another_name_is_not_near(name: str, known: str) -> None:
    assert find_near_name(name, [known]) is None and find_near_name(known, [name]) is None


def test_the_nearest_name_is_found() -> None:
    assert find_near_name("Eileen Colins", ["Eilenn Colins", "Eileen Kolins", "Eileen Collins"]) == "Eileen Collins"
    assert find_near_name("Alexandre", ["Alexander", "Alexandré"]) == "Alexandré"
    assert find_near_name("Anna", []) is None


def test_ten_thousand_people_take_no_time() -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefgé", k=8)) for _ in range(200)]
    usual = [f"{draw.choice(words)} {draw.choice(words)}" for _ in range(10_000)]
    hostile = [("ab" * MAX_NAME_LENGTH)[: MAX_NAME_LENGTH - 5] + str(number) for number in range(10_000)]
    started = time.process_time()
    find_near_name("abcdefgh abcdefgh", usual)
    find_near_name("ba" * 100, hostile)
    find_near_name("\ufdfa" * MAX_NAME_LENGTH, ["\ufdfa" * (MAX_NAME_LENGTH - 5) + str(n) for n in range(1_000)])
    assert time.process_time() - started < 5  # without bounds, the last ones would take a minute
