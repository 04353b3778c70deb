"""A server that is killed amid answers: every green row is in the journal."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.page_browser import make_drawn_library, open_page

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]


def test_every_green_row_is_in_the_journal(tmp_path: Path) -> None:
    make_drawn_library(tmp_path, [2] * 8)
    with open_page(tmp_path) as page:
        page.open("groups", ".row .tile img")
        names = ["Anna", "Ben", "Clara", "David", "Elif", "Farid"]
        for name in names:
            page.press(name, Keys.ENTER)
        page.wait(lambda: page.all(".row.saved"), "the first green row")
        page.process.stop(signal.SIGKILL)
        page.wait_text("#problem", "No connection")
        green = page.script("return [...document.querySelectorAll('.row.saved bdi')].map((name) => name.textContent)")
        waiting = page.script(
            "return [...document.querySelectorAll('.row.waiting .naming input')].map((field) => field.value)"
        )
        recorded = [event["name"] for event in page.answers()]
        assert set(green) <= set(recorded)
        assert sorted(green + waiting) == names  # what has no answer yet is still there
