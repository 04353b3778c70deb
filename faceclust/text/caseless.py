"""Compare texts without regard to case, Unicode form and invisible marks of direction."""

from __future__ import annotations

import unicodedata

#: Left-to-right, right-to-left and Arabic letter mark. They order the letters of names in several scripts.
DIRECTION_MARKS = "\u200e\u200f\u061c"
#: A place where a word may be hyphenated. It is visible only at the end of a line.
SOFT_HYPHEN = "\u00ad"
_IGNORED = dict.fromkeys(map(ord, DIRECTION_MARKS + SOFT_HYPHEN))


def caseless_key(text: str) -> str:
    """Return a key that is equal for texts that differ only in case, Unicode form (NFC, NFD) and direction marks.

    It is the canonical caseless match of the Unicode Standard (section 3.13, D145). Compatibility
    characters, such as ² and 2, stay different.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", text.translate(_IGNORED)).casefold()
    return unicodedata.normalize("NFC", folded)
