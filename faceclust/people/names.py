"""Normalise and compare the names of people."""

from __future__ import annotations

import unicodedata

from faceclust.text.visible import JOINERS


def person_key(name: str) -> str:
    """Return the key of a name, which ignores case, spacing and Unicode form; same key, same person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def clean_name(name: str) -> str:
    """Return the name without control characters and with single spaces; "" if nothing is left."""
    printable = "".join(c if c.isprintable() or c in JOINERS else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(printable.split())
