"""Two tabs and a terminal at once: everybody sees the others' answers, and nothing is recorded twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.command import run
from tests.support.page_browser import make_drawn_library, open_page
from tests.support.terminal import LabelTerminal

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]


def test_two_tabs_and_a_terminal_see_each_other(tmp_path: Path) -> None:
    library = make_drawn_library(tmp_path, [9, 8, 7, 6, 5, 4, 3], pool=6)
    groups = [person.clusters[0] for person in library.unnamed_groups()]
    terminal = LabelTerminal(tmp_path)
    with open_page(tmp_path) as page:
        first = page.driver.current_window_handle
        page.open("groups", ".row .tile img")
        page.press("Half a na")
        page.driver.switch_to.new_window("tab")
        second = page.driver.current_window_handle
        page.open("groups", ".row .tile img")
        page.press(Keys.ARROW_DOWN, "Berta", Keys.ENTER)
        page.wait_text(".row[data-at='1'].saved", "Berta")
        assert run("name", str(groups[2]), "Carla", "--library", tmp_path).returncode == 0
        terminal.wait_for_question("Who is this?")
        terminal.type("Anna\r")
        terminal.wait_for_text("saved: Anna")
        for tab, answered_here in ((second, "saved"), (first, "gone")):
            page.driver.switch_to.window(tab)
            page.wait(
                lambda: page.all(".row.gone[data-at='0']") and page.all(".row.gone[data-at='2']"), "the terminal's"
            )
            assert page.all(f".row.{answered_here}[data-at='1']")
        # The tab's own answer is the next one, given at the newest position.
        page.press("j", "j", "j", Keys.ENTER, "Dora", Keys.ENTER)
        page.wait_text(".row.saved", "Dora")
        names = [answer["name"] for answer in page.answers()]
        assert sorted(names) == ["Anna", "Berta", "Carla", "Dora"]
        assert page.errors() == []
    terminal.type("\x04")
    terminal.child.close(force=True)
