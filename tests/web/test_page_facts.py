"""Facts about people, and names that others suggested, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust import Library
from tests.support.page_browser import make_drawn_library, open_page
from tests.support.question_pages import merge_answers, send_page

pytestmark = pytest.mark.browser


def test_facts_are_shown_and_a_suggested_name_is_asked_about(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    library = make_drawn_library(root, [9, 6])
    library.name(1, "Anna", confirmed=library.faces_in_group(1))
    library.set_facts("Anna", born="1987", aliases="Anni", groups="Family", favourite=True, note="<b>one</b>")
    sent = send_page(library, (library.faces_in_group(2), None))
    merge_answers(library, tmp_path / "answers.json", sent, {"question": 1, "name": "Ben"})
    anna = library.find_person("Anna").id
    with open_page(root) as page:
        page.open("ask", "#tiles .tile img")
        page.wait_text("#question", "Suggested by Aunt Mary: ")
        page.press("y")
        page.wait(lambda: Library(root).find_person("Ben").confirmed, "the answer")
        page.open("people", ".everyone li .star")
        assert [len(page.all(".everyone li")), len(page.all(".everyone .star"))] == [2, 1]
        page.open(f"person/{anna}", ".portrait h1 .star")
        facts = page.text(".portrait .facts")
        assert "born 1987" in facts and "also Anni" in facts and "in Family" in facts
        assert page.text(".portrait .note") == "<b>one</b>"
        assert page.errors() == []
