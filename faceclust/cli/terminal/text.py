"""Text for a terminal: printable file names, plural forms, shortened lists."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """Text from a file name, with characters a terminal would act on made visible."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def limit_lines(lines: Sequence[str], limit: int, hint: str) -> list[str]:
    """The first `limit` lines, and one with the number of the others. `hint`: how to list all."""
    if len(lines) <= limit:
        return list(lines)
    return [*lines[:limit], f"  … and {len(lines) - limit:,} more ({hint})"]
