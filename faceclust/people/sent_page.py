"""The stored record of a sent page: its questions.

The page itself has pictures and numbers of questions. Which faces they are stays here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from faceclust.people.events import JournalFace, face_from_record, face_to_record
from faceclust.people.names import clean_name, person_key, shorten_name
from faceclust.text.json_text import to_json

#: The version of the record, and the largest number of questions and of faces in one of them that it can have.
VERSION, MAX_QUESTIONS, MAX_FACES = 1, 100, 500
#: Larger records are refused. A face takes about 250 bytes.
MAX_PAGE_SIZE = 50_000_000
_PAGE_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class SentQuestion:
    """A question about `faces`: are they the person `name`, or, without a name, who are they?"""

    faces: tuple[JournalFace, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.faces) <= MAX_FACES:
            raise ValueError(f"a question is about 1 to {MAX_FACES} faces, not {len(self.faces)}")


@dataclass(frozen=True)
class SentPage:
    """The questions of a page, in the order of their numbers, which start at 1. None: about a forgotten person."""

    id: str
    questions: tuple[SentQuestion | None, ...]

    def __post_init__(self) -> None:
        if not is_page_id(self.id):
            raise ValueError(f"{self.id!r} is not the id of a page")
        if not 1 <= len(self.questions) <= MAX_QUESTIONS:
            raise ValueError(f"a page has 1 to {MAX_QUESTIONS} questions, not {len(self.questions)}")

    def without(self, faces: Collection[str], person_keys: Collection[str]) -> SentPage:
        """Return the page without these faces, and without the questions about these people."""
        return replace(self, questions=tuple(_erase(one, faces, person_keys) for one in self.questions))


def is_page_id(text: str) -> bool:
    """Is this the id of a page: 32 hexadecimal digits?"""
    return _PAGE_ID.fullmatch(text) is not None


def _erase(question: SentQuestion | None, faces: Collection[str], keys: Collection[str]) -> SentQuestion | None:
    if question is None or (question.name is not None and person_key(question.name) in keys):
        return None
    kept = tuple(face for face in question.faces if face.face_id not in faces)
    return replace(question, faces=kept) if kept else None


def encode_page(page: SentPage) -> bytes:
    """Return the page as JSON."""
    questions = [
        None if one is None else {"name": one.name, "faces": [face_to_record(face) for face in one.faces]}
        for one in page.questions
    ]
    return to_json({"faceclust-page": VERSION, "id": page.id, "questions": questions}).encode()


def decode_page(content: bytes) -> SentPage:
    """Return the page of a record. Fields of newer versions are ignored. Raises ValueError if it is not valid."""
    try:
        record = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(record, dict) or not isinstance(record.get("questions"), list):
        raise ValueError("not a record of a page")
    if record.get("faceclust-page") != VERSION:
        raise ValueError("made by a newer version of faceclust")
    return SentPage(str(record.get("id")), tuple(map(_decode_question, record["questions"][: MAX_QUESTIONS + 1])))


def _decode_question(record: Any) -> SentQuestion | None:
    if record is None:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("faces"), list):
        raise ValueError("not a question")
    faces, name = tuple(map(face_from_record, record["faces"][: MAX_FACES + 1])), record.get("name")
    if name is not None and not (isinstance(name, str) and clean_name(shorten_name(name))):
        raise ValueError("not a name")
    return SentQuestion(faces, None if name is None else clean_name(shorten_name(name)))
