"""Names as people type them."""

from __future__ import annotations

import unicodedata

#: Zero-width characters that Persian, Indic and emoji names are spelt with.
_JOINERS = "\u200c\u200d"


def person_key(name: str) -> str:
    """Names with the same key are the same person: case, spacing and Unicode form aside."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def clean_name(name: str) -> str:
    """A name as it is kept: no control characters, single spaces; "" where nothing is left."""
    printable = "".join(c if c.isprintable() or c in _JOINERS else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(printable.split())
