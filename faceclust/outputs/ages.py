"""Describe how old a person is, or how long a person lived."""

from __future__ import annotations

from datetime import date

from faceclust.text.plural import format_count
from faceclust.types import PersonFacts

#: Months are counted below this age in years.
_YEARS_IN_MONTHS = 2
#: Nobody is listed as older today: a date of death is probably missing.
_MAX_AGE_TODAY = 110


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
