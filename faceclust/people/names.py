"""Normalise, bound and compare the names of people."""

from __future__ import annotations

import hashlib
import unicodedata

from faceclust.text.visible import JOINERS

#: Characters that a name can have. Longer texts are descriptions, or hostile.
MAX_NAME_LENGTH = 200


def person_key(name: str) -> str:
    """Return the key of a name, which ignores case, spacing and Unicode form; same key, same person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def clean_name(name: str) -> str:
    """Return the name without control characters and with single spaces; "" if nothing is left."""
    printable = "".join(c if c.isprintable() or c in JOINERS else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(printable.split())


def shorten_name(name: str) -> str:
    """Return a name of at most MAX_NAME_LENGTH characters; older versions accepted any length.

    A digest at the end of a shortened name keeps different names different.
    """
    if len(name) > MAX_NAME_LENGTH:
        name = " ".join(name.split())
    if len(name) <= MAX_NAME_LENGTH:
        return name
    # Not of the key: finding the Unicode form of a long text of combining characters takes quadratic time.
    digest = hashlib.blake2b(name.casefold().encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 2].rstrip()}… {digest}"
