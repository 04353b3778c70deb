"""Pages of questions and the files of answers to them, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceclust import Library
from faceclust.library.question_page import QuestionPage, QuestionToSend, make_question_page
from faceclust.library.sent_pages import save_sent_page


def send_page(library: Library, *questions: tuple[Sequence[str], str | None]) -> QuestionPage:
    """Make a page of questions, each given by its faces and the name asked about, and keep what it asks."""
    page = make_question_page(library, [QuestionToSend(tuple(faces), name) for faces, name in questions])
    assert page is not None
    save_sent_page(library, page.sent)
    return page


def write_answers(file: Path, page: QuestionPage | str, *answers: dict[str, Any], sender: str = "Aunt Mary") -> Path:
    """Write a file of answers to a page, which is given with or without its content. Return the file."""
    page_id = page if isinstance(page, str) else page.sent.id
    record = {"faceclust-answers": 1, "page": page_id, "from": sender, "answers": list(answers)}
    file.write_text(json.dumps(record), encoding="utf-8")
    return file


def merge_answers(library: Library, file: Path, page: QuestionPage, *answers: dict[str, Any], **options: str) -> int:
    """Take in answers to a page. Return the number of events that were recorded."""
    return len(library.import_answers(library.plan_answers(write_answers(file, page, *answers, **options))))
