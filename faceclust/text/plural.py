"""Counts with their noun in the singular or plural."""

from __future__ import annotations


def format_count(number: int, singular: str, plural: str | None = None) -> str:
    """Format a count and its noun: "1 face", "1,204 faces"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
