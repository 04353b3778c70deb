"""Make text from outside visible: control characters and direction marks as escapes.

File names, names of people, camera texts and keys of configuration files can hold escape sequences,
which a terminal obeys, or marks that reorder the letters around them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

#: Zero-width characters that are part of Persian, Indic and emoji names.
JOINERS = "\u200c\u200d"
#: A flag such as Scotland's (a black flag, letters as tags, an end tag), or one character that may need an escape.
_PART = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f|[^ -~]")
#: Controls, format and direction marks, surrogates, private use, line and paragraph separators.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def make_visible(text: str) -> str:
    r"""Return one line of text in which each character that could not be seen is an escape.

    Escapes are \n, \r, \t, \x1b (ASCII, and bytes of file names that are not UTF-8), \u202e and
    \U000e0001. Letters of all scripts, spaces, emoji and the joiners in names are kept. A backslash
    is kept too, so that applying the function twice changes nothing.
    """
    return escape_invisible(text, escape_character)


def escape_invisible(text: str, escape: Callable[[str], str]) -> str:
    """Replace each character that cannot be seen by `escape` of it."""
    if text.isprintable():
        return text
    return _PART.sub(lambda part: escape(part[0]) if _is_invisible(part[0]) else part[0], text)


def escape_character(character: str) -> str:
    r"""Return the escape of a character, as \x1b, \u202e or \U000e0001."""
    code = ord(character)
    if character in "\n\r\t":
        return repr(character)[1:-1]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python holds it in a string
        return rf"\x{code - 0xDC00:02x}"
    if code < 0x80:
        return rf"\x{code:02x}"
    return rf"\u{code:04x}" if code <= 0xFFFF else rf"\U{code:08x}"


def _is_invisible(part: str) -> bool:
    if len(part) > 1 or part in JOINERS:
        return False
    category = unicodedata.category(part)
    return category in _ESCAPED_CATEGORIES or (category == "Cn" and _is_reserved(ord(part)))


def _is_reserved(code: int) -> bool:
    """Whether an unassigned character never becomes a letter. Others are letters and emoji newer than Python."""
    is_ignorable = code == 0x2065 or 0xFFF0 <= code <= 0xFFF8 or 0xE0000 <= code <= 0xE0FFF
    return is_ignorable or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
