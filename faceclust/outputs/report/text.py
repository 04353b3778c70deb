"""Numbers and dates as the report spells them. Months are not left to the system's language: the
rest of the page is English."""

from __future__ import annotations

from datetime import date

_MONTHS = "January February March April May June July August September October November December".split()


def month_name(number: int) -> str:
    """ "May", for 5."""
    return _MONTHS[number - 1]


def format_day(when: date | None) -> str:
    """ "12 May 2019"; "no date" for None."""
    return f"{when.day} {month_name(when.month)} {when.year}" if when else "no date"


def format_count(number: int, singular: str, plural: str | None = None) -> str:
    """ "1 face", "1,204 faces"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def shade_level(number: int, max_count: int) -> int:
    """How dark a cell of the matrix is, 0 (none) to 5."""
    return 0 if number <= 0 else 1 + min(4, number * 5 // (max_count + 1))
