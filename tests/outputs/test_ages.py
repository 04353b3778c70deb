"""Ages and lives in words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.outputs.ages import format_age, format_life
from faceclust.types import PartialDate, PersonFacts


def born(text: str, died: str | None = None) -> PersonFacts:
    return PersonFacts(PartialDate.parse(text), PartialDate.parse(died) if died else None)


@pytest.mark.parametrize(
    ("facts", "day", "age"),
    [
        (born("1987-05-03"), date(1990, 5, 2), "2 years"),
        (born("1987-05-03"), date(1990, 5, 3), "3 years"),
        (born("1987-05-03"), date(1988, 5, 3), "12 months"),
        (born("1987-05-31"), date(1987, 7, 30), "1 month"),
        (born("1987-05-03"), date(1987, 5, 3), "under a month"),
        (born("1987-05-03"), date(1987, 5, 2), ""),
        (born("1987"), date(1990, 7, 1), "about 3 years"),
        (born("1987"), date(1990, 12, 31), "3 years"),
        (born("1987"), date(1987, 7, 1), "under a year"),
        (born("1987"), date(1988, 7, 1), "about 1 year"),
        (born("1987-05"), date(1988, 7, 1), "1 year"),
        (born("1987", died="1990-05"), date(1990, 5, 31), "about 3 years"),
        (born("1987", died="1990-05"), date(1990, 6, 1), ""),
        (born("1987"), None, ""),
        (PersonFacts(), date(1990, 1, 1), ""),
    ],
)
def test_ages(facts: PersonFacts, day: date | None, age: str) -> None:
    assert format_age(facts, day) == age


@given(st.dates(date(1900, 1, 1), date(2020, 1, 1)), st.integers(0, 1000))
def test_months_are_those_of_the_calendar(birth: date, days: int) -> None:
    day = birth + timedelta(days)
    facts = PersonFacts(PartialDate(birth.year, birth.month, birth.day))
    text = format_age(facts, day)
    months = 0
    while (birth.year * 12 + birth.month + months + 1, birth.day) <= (day.year * 12 + day.month, day.day):
        months += 1
    expected = "under a month" if not months else f"{months} month{'s' if months > 1 else ''}"
    assert text == (expected if months < 24 else f"{months // 12} years")


def test_lives() -> None:
    today = date(2026, 11, 30)
    assert format_life(born("1920", died="1990-02"), today) == "1920–1990"
    assert format_life(born("1987-05-03"), today) == "born 1987-05-03, 39 years"
    assert format_life(born("1890"), today) == "born 1890"
    assert format_life(PersonFacts(died=PartialDate(1990)), today) == "died 1990"
    assert format_life(PersonFacts(), today) == ""
