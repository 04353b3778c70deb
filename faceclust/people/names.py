"""Normalise and compare the names of people."""

from __future__ import annotations

import unicodedata

#: Zero-width characters that are part of Persian, Indic and emoji names.
_JOINERS = "\u200c\u200d"


def person_key(name: str) -> str:
    """Return the key of a name, which ignores case, spacing and Unicode form; same key, same person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def clean_name(name: str) -> str:
    """Return the name without control characters and with single spaces; "" if nothing is left."""
    printable = "".join(c if c.isprintable() or c in _JOINERS else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(printable.split())
