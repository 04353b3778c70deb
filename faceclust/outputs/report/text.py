"""Numbers and dates as the report formats them. Month names are English, whatever the locale."""

from __future__ import annotations

from datetime import date

from faceclust.text.plural import format_count as format_count

_MONTHS = "January February March April May June July August September October November December".split()


def month_name(number: int) -> str:
    """Return "May" for 5."""
    return _MONTHS[number - 1]


def format_day(day: date | None) -> str:
    """Format a day as "12 May 2019", and None as "no date"."""
    return f"{day.day} {month_name(day.month)} {day.year}" if day else "no date"


def shade_level(number: int, max_count: int) -> int:
    """Return the shade of a matrix cell, 0 (none) to 5 (darkest)."""
    return 0 if number <= 0 else 1 + min(4, number * 5 // (max_count + 1))
