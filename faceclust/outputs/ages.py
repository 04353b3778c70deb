"""Describe how old a person is, or how long a person lived."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from faceclust.text.plural import format_count
from faceclust.types import PersonFacts

#: Months are counted below this age in years.
_YEARS_IN_MONTHS = 2
#: Nobody is listed as older today: a date of death is probably missing.
_MAX_AGE_TODAY = 110


def find_age(facts: PersonFacts, day: date) -> int | None:
    """Return the age on a day in completed years, the higher one of two; None whenever `format_age` is empty."""
    ages = facts.ages_on(day) if format_age(facts, day) else None
    return ages[1] if ages else None


def format_age(facts: PersonFacts, day: date | None) -> str:
    """Format the age on a day: "3 years", "14 months" below two years, or "about 3 years" if the birth date has no day.

    "" without a birth date or a day, before the birth and after the death.
    """
    ages = facts.ages_on(day) if day else None
    if day is None or facts.born is None or ages is None or (facts.died and day > facts.died.last):
        return ""
    lowest, highest = ages
    if highest < 0:
        return ""
    if facts.born.day is not None and lowest < _YEARS_IN_MONTHS:
        months = (day.year - facts.born.year) * 12 + day.month - facts.born.first.month
        months -= day.day < facts.born.day
        return format_count(months, "month") if months else "under a month"
    if not highest:
        return "under a year"
    return f"{'' if lowest == highest else 'about '}{format_count(highest, 'year')}"


def format_age_range(facts: PersonFacts, days: Iterable[date]) -> str:
    """Format the ages between the first and the last of these days: "3 years", "3–4 years", "11 months – 2 years"."""
    ordered = sorted(days)
    ages = list(dict.fromkeys(filter(None, (format_age(facts, day) for day in ordered[:1] + ordered[-1:]))))
    if len(ages) < 2:
        return "".join(ages)
    (first, unit), last = ages[0].rsplit(" ", 1), ages[1]
    is_same_unit = last.endswith(f" {unit}") and not last.startswith("about")
    return f"{first}–{last}" if is_same_unit else f"{ages[0]} – {last}"


def format_life(facts: PersonFacts, today: date) -> str:
    """Format birth and death: "1920–1990", "born 1987-05-03, 39 years", "born 1987" or "died 1990"; "" if unknown."""
    if facts.born and facts.died:
        return f"{facts.born.year}–{facts.died.year}"
    if facts.died:
        return f"died {facts.died}"
    if facts.born is None:
        return ""
    _, highest = facts.ages_on(today) or (0, 0)
    age = format_age(facts, today) if highest <= _MAX_AGE_TODAY else ""
    return f"born {facts.born}{f', {age}' if age else ''}"
