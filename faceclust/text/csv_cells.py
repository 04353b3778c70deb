"""Text in CSV tables that a spreadsheet would take for a formula."""

from __future__ import annotations

import re

#: The first characters of a formula, and those that spreadsheets skip before one (OWASP, CSV Injection;
#: ASVS 1.2.10), also in full width.
_FIRST = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n\0"
_FORMULA = f"'*[{re.escape(_FIRST)}]"
#: Where a cell starts. A spreadsheet set to a language with decimal commas also splits at semicolons.
_START = "(?:^|(?<=[;\t\r\n]))"
_UNGUARDED = re.compile(f"{_START}(?={_FORMULA})")
_GUARDED = re.compile(f"{_START}'(?={_FORMULA})")


def guard_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula, so that it stays text."""
    may_be_formula = text[:1] in _FIRST + "'" or ";" in text or not text.isprintable()  # rare, and slower
    return _UNGUARDED.sub("'", text) if may_be_formula else text


def unguard_cell(text: str) -> str:
    """Return the text that `guard_cell` was given."""
    return _GUARDED.sub("", text)
