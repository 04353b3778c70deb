"""The file of answers that a page of questions makes. It comes by mail from somebody else, so it is hostile input.

It is a JSON object, alone or within other text such as that of a mail:

    {"faceclust-answers": 1, "page": "<id>", "from": "Aunt Mary",
     "answers": [{"question": 1, "name": "Ben"}, {"question": 2, "is": true}, {"question": 4, "unknown": true}]}
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any

from faceclust.people.names import MAX_NAME_LENGTH, clean_name
from faceclust.people.sent_page import MAX_QUESTIONS, is_page_id

#: Larger files are no answers: the longest names for every question take a tenth of it.
MAX_ANSWERS_SIZE = 1_000_000
VERSION = 1
_START = re.compile(r'\{\s*"faceclust-answers"\s*:')
#: The marks before the lines of a mail that is quoted in another one.
_QUOTED_LINE = re.compile(r"^(?:>[ \t]?)+", re.MULTILINE)
#: A mail program may break a line within a text, which JSON itself does not allow.
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class GivenAnswer:
    """The answer to a question by its number, from 1: whether it `is` the person asked about, and a typed `name`.

    With neither, the answer is that the sender does not know.
    """

    question: int
    is_person: bool | None = None
    name: str | None = None


@dataclass(frozen=True)
class AnswersFile:
    """The answers of one person, called `sender`, to the page with this id. Each question is answered once."""

    page: str
    sender: str
    answers: tuple[GivenAnswer, ...]


def is_answers_file(content: bytes) -> bool:
    """Does a file, given by the first `MAX_ANSWERS_SIZE` bytes of it, contain answers to a page?"""
    return _START.search(_decode(content)) is not None


def parse_answers(content: bytes) -> AnswersFile:
    """Return the answers in a file. Raises ValueError, with the reason, if they are not valid."""
    if len(content) > MAX_ANSWERS_SIZE:
        raise ValueError(f"it is larger than {MAX_ANSWERS_SIZE:,} bytes")
    record = _find_record(_decode(content))
    version, page, answers = record["faceclust-answers"], record.get("page"), record.get("answers")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError("it has no version")
    if version > VERSION:
        raise ValueError("it was made by a page of a newer faceclust")
    if not isinstance(page, str) or not is_page_id(page):
        raise ValueError("it does not name the page that it answers")
    if not isinstance(answers, list):
        raise ValueError("it has no list of answers")
    if len(answers) > MAX_QUESTIONS:
        raise ValueError(f"it has {len(answers):,} answers, and a page has at most {MAX_QUESTIONS} questions")
    given = tuple(map(_parse_answer, answers))
    if len({answer.question for answer in given}) < len(given):
        raise ValueError("it answers a question twice")
    return AnswersFile(page, _parse_text(record.get("from"), "the name of who answers") or "somebody", given)


def _decode(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, as an editor may have saved a copied text."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8", "replace")


def _find_record(text: str) -> dict[str, Any]:
    for candidate in (text, _QUOTED_LINE.sub("", text)):
        start = _START.search(candidate)
        try:
            record, _ = _DECODER.raw_decode(candidate, start.start() if start else 0)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and "faceclust-answers" in record:
            return record
    raise ValueError("it is damaged or incomplete")


def _parse_answer(record: object) -> GivenAnswer:
    if not isinstance(record, dict):
        raise ValueError("an answer is not an object")
    question, is_person, name = record.get("question"), record.get("is"), record.get("name")
    if isinstance(question, bool) or not isinstance(question, int) or not 1 <= question <= MAX_QUESTIONS:
        raise ValueError("an answer has no number of a question")
    if is_person is not None and not isinstance(is_person, bool):
        raise ValueError(f"the answer to question {question} is neither yes nor no")
    return GivenAnswer(question, is_person, _parse_text(name, f"the answer to question {question}") or None)


def _parse_text(value: object, what: str) -> str:
    """Return a text without control characters, "" if it is missing. Raises ValueError if it cannot be a name."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text")
    if len(value) > MAX_NAME_LENGTH:
        raise ValueError(f"{what} is longer than {MAX_NAME_LENGTH} characters")
    return clean_name(value.encode("utf-8", "replace").decode())[:MAX_NAME_LENGTH]
