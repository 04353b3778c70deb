"""The keys of the page: the help and the manual list the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

import pytest

from tests.support.page_browser import PageBrowser, make_drawn_library, open_page

pytestmark = pytest.mark.browser

#: The columns of the manual's two tables.
SCREENS = (("ask", "groups", "again"), ("person", "photo"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    root = tmp_path_factory.mktemp("keys")
    make_drawn_library(root, [3, 2])
    with open_page(root) as page:
        yield page


def section_of_the_manual() -> str:
    text = (resources.files("faceclust") / "manual" / "naming.md").read_text(encoding="utf-8")
    return text.partition("## In the browser")[2].partition("\n## ")[0]


def keys_in(text: str) -> set[str]:
    return set(re.findall("`([^`]+)`", text))


@pytest.mark.parametrize("table", range(len(SCREENS)))
def test_the_manual_lists_the_keys_of_each_screen(page: PageBrowser, table: int) -> None:
    lines = section_of_the_manual().split("| Key |")[1 + table].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    assert len(cells) > 10
    for column, screen in enumerate(SCREENS[table], start=1):
        listed = {key for cell in cells if cell[column] for key in keys_in(cell[0])}
        assert listed == shown_keys(page, f"(await import('./page/{screen}.js')).default.keys"), screen


def shown_keys(page: PageBrowser, table: str) -> set[str]:
    page.driver.set_script_timeout(10)
    return set(
        page.driver.execute_async_script(
            "const done = arguments[0]; (async () => { const { shownKeys } = await import('./page/keys.js');"
            f" return ({table}).flatMap(shownKeys); }})().then(done);"
        )
    )


def test_the_help_lists_the_keys_of_all_screens(page: PageBrowser) -> None:
    page.open("help", "#key-tables dl")
    titles = [heading.text for heading in page.all("#key-tables h2")]
    assert titles[0] == "Everywhere" and {"Ask", "Groups", "Look again"} <= set(titles)
    (everywhere, *_) = page.all("#key-tables section")
    keys = {key.text for key in everywhere.find_elements("css selector", "kbd")}
    sentence = section_of_the_manual().partition("On every screen,")[2].partition("Single letters")[0]
    assert keys == keys_in(sentence)


def test_letters_are_text_in_a_text_field(page: PageBrowser) -> None:
    page.open("ask", "#name input")
    page.press("u", "/", "?", "x")
    assert page.one("#name input").get_attribute("value") == "u/?x"
    assert "#/help" not in page.driver.current_url
