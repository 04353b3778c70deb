"""Find the person that a new name may be a misspelling of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: Letters without a decomposition, as they are typed without that key.
_PLAIN_LETTERS = str.maketrans({"æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "œ": "oe", "ı": "i"})
#: Umlauts written out, as in Mueller and Soeren.
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_APOSTROPHES = str.maketrans("", "", "'’ʼ`´")
_WORD = re.compile(r"[^\s!-/:-@\[-`{-~·‐-―]+")  # a run without spaces, ASCII punctuation and dashes
_ACCENTS = re.compile("[\u0300-\u036f]+")
#: (letters of the shorter word, wrong letters): Anna and Hanna are two people, Eileen and Eilen are not.
_TOLERATED_EDITS = ((8, 2), (5, 1), (0, 0))
#: Longer names are descriptions, or hostile: only their beginnings are compared.
_MAX_COMPARED_LENGTH = 80


def find_near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` may be a misspelling of, the nearest one; None if no name is near.

    Near are names that differ in accents, umlauts, case, spaces and punctuation only, and names of as
    many words, each with one wrong letter (two from 8 letters on, none below 5): a letter more, less,
    exchanged or swapped with the next.
    """
    words, spellings = _plain_words(name), _plain_spellings(name)
    nearest: tuple[int, str] | None = None
    for other in known if words else ():
        others = _plain_words(other)
        edits = _count_edits(words, others)
        if edits is None and not spellings.isdisjoint(_plain_spellings(other)):
            edits = 0
        if edits is not None and (nearest is None or (edits, other) < nearest):
            nearest = edits, other
    return None if nearest is None else nearest[1]


def _plain_words(name: str) -> list[str]:
    """The words of a name in small letters, without accents and punctuation."""
    letters = name[:_MAX_COMPARED_LENGTH]
    if not letters.isascii():
        letters = unicodedata.normalize("NFKD", letters)[: 2 * _MAX_COMPARED_LENGTH]
        letters = _ACCENTS.sub("", letters.casefold()).translate(_PLAIN_LETTERS)
    return _WORD.findall(letters.lower().translate(_APOSTROPHES))


def _plain_spellings(name: str) -> set[str]:
    """The plain letters and digits of a name: as they are, and with umlauts written out."""
    spellings = {"".join(_plain_words(name))}
    if not name.isascii():
        composed = unicodedata.normalize("NFC", name[:_MAX_COMPARED_LENGTH]).casefold()
        spellings.add("".join(_plain_words(composed.translate(_SPELT_OUT))))
    return spellings


def _count_edits(words: list[str], others: list[str]) -> int | None:
    """Return the number of wrong letters in all words; None if there are too many in one of them."""
    if len(words) != len(others):
        return None
    total = 0
    for word, other in zip(words, others, strict=True):
        if word == other:
            continue
        shorter = min(len(word), len(other))
        tolerated = next(edits for letters, edits in _TOLERATED_EDITS if shorter >= letters)
        edits = next((n for n in range(1, tolerated + 1) if _is_within(word, other, n)), None)
        if edits is None:
            return None
        total += edits
    return total


def _is_within(a: str, b: str, edits: int) -> bool:
    """Whether `a` becomes `b` by at most this number of edits (the restricted distance of Damerau, 1964)."""
    if abs(len(a) - len(b)) > edits:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    if not edits or not a or not b:
        return a == b or len(a) + len(b) <= edits
    steps = [(a[1:], b[1:]), (a[1:], b), (a, b[1:])]
    if a[:2] == b[1::-1]:
        steps.append((a[2:], b[2:]))
    return any(_is_within(x, y, edits - 1) for x, y in steps)
