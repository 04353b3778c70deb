"""Text for a terminal: shortened lists."""

from __future__ import annotations

from collections.abc import Sequence


def limit_lines(lines: Sequence[str], limit: int, hint: str) -> list[str]:
    """The first `limit` lines, and one with the number of the others. `hint`: how to list all."""
    if len(lines) <= limit:
        return list(lines)
    return [*lines[:limit], f"  … and {len(lines) - limit:,} more ({hint})"]
