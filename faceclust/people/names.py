"""Normalise, bound and compare the names of people."""

from __future__ import annotations

import hashlib
import unicodedata

from faceclust.text.caseless import DIRECTION_MARKS, caseless_key
from faceclust.text.visible import JOINERS, escape_invisible

#: Characters that a name can have. Longer texts are descriptions, or hostile.
MAX_NAME_LENGTH = 200


def person_key(name: str) -> str:
    """Return the key of a name, which ignores case, spacing and Unicode form; same key, same person.

    Marks of direction are ignored too. Compatibility characters count: Anna² and Anna2 are two people.
    """
    return " ".join(caseless_key(name).split())


def clean_name(name: str) -> str:
    """Return the name without control characters and with single spaces; "" if nothing visible is left.

    Flags, joiners and the marks of direction that are part of names are kept. Other invisible
    characters are removed, among them soft hyphens and the controls that reorder the text around them.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", escape_invisible(name, _replace_invisible)).split())
    return cleaned if cleaned.strip(f"{JOINERS}{DIRECTION_MARKS} ") else ""


def _replace_invisible(character: str) -> str:
    if character in DIRECTION_MARKS:
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


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
