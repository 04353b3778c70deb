"""Render the page of questions. It holds pictures, the names asked about, and nothing else of the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceclust.outputs.html_page import data_uri, render_page


@dataclass(frozen=True)
class PageQuestion:
    """A question: JPEGs of faces, and the name of the person that they may be, None for "Who is this?"."""

    pictures: tuple[bytes, ...]
    name: str | None


def render_question_page(page_id: str, questions: Sequence[PageQuestion], *, max_name_length: int) -> str:
    """Return the page as HTML. `page_id`: goes into the file of answers, so that the library recognises it.
    `max_name_length`: the characters that a typed name can have."""
    return render_page(
        "questions.html.j2",
        styles=["base.css", "questions.css"],
        scripts=["questions.js"],
        hash_styles=True,
        page_id=page_id,
        questions=[(one.name, [data_uri(picture) for picture in one.pictures]) for one in questions],
        max_name_length=max_name_length,
    )
