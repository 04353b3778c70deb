"""Text for a terminal: printable file names, plural forms."""

from __future__ import annotations

from faceclust.types.plural import format_count as format_count


def printable(text: str) -> str:
    """Text from a file name, with characters a terminal would act on made visible."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
