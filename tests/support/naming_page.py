"""The page for naming people as somebody uses it with keys: what they see, and what the journal gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Keys

from faceclust import Library
from tests.support.browser import open_browser
from tests.support.page_browser import PageBrowser
from tests.support.web import PageProcess, serve_page

_KEYS = {
    **{f"Arrow{name}": getattr(Keys, f"ARROW_{name.upper()}") for name in ("Up", "Down", "Left", "Right")},
    "Enter": Keys.ENTER,
    "Escape": Keys.ESCAPE,
    "Space": " ",
}
_PICTURES_READY = "return [...document.images].every((image) => image.complete || !image.checkVisibility())"


class NamingPage(PageBrowser):
    """A browser with the page open, whose keys have the names of the page's tables."""

    def __init__(self, driver: Any, process: PageProcess, root: Path) -> None:
        super().__init__(driver, process, root)
        self._journal = root / ".faceclust/people.jsonl"
        self._read = 0

    @property
    def library(self) -> Library:
        """The library as it is on disk now."""
        return Library(self.root)

    def show(self, screen: str, wait_for: str) -> None:
        """Open a screen from scratch; lines of the journal count from now on."""
        self.open(screen, wait_for)
        self._read = len(self._lines())

    def press(self, *keys: str) -> None:
        """Press keys where the focus is: "x", "U", "Enter", "Shift+ArrowDown"."""
        for key in keys:
            modifier, _, last = key.rpartition("+") if len(key) > 1 else ("", "", key)
            chain = ActionChains(self.driver)
            if modifier:
                chain.key_down(getattr(Keys, modifier.upper()))
            chain.send_keys(_KEYS.get(last, last))
            if modifier:
                chain.key_up(getattr(Keys, modifier.upper()))
            chain.perform()

    def texts(self, css: str) -> list[str]:
        """The texts of the visible elements."""
        return self._read_all(css, "one.innerText")

    def faces(self, css: str) -> list[str]:
        """The ids of the faces that visible elements stand for."""
        return self._read_all(css, "one.dataset.face")

    def _read_all(self, css: str, value: str) -> list[str]:
        visible = "[...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility())"
        return [str(text) for text in self.script(f"return {visible}.map((one) => {value})", css)]

    def wait_for(self, css: str) -> None:
        """Wait until an element is visible."""
        self.wait(lambda: self.texts(css), css)

    def click(self, css: str, number: int = 0) -> None:
        """Click on one of the elements."""
        self.wait(lambda: len(self.all(css)) > number, css)
        self.all(css)[number].click()

    @property
    def focused_face(self) -> str | None:
        """The face that has the focus."""
        face: str | None = self.script("return document.activeElement.dataset.face ?? null")
        return face

    def new_events(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for new lines in the journal, and return them."""
        self.wait(lambda: len(self._lines()) >= self._read + count, f"{count} lines in the journal")
        lines, self._read = self._lines()[self._read :], len(self._lines())
        assert len(lines) == count
        return [json.loads(line) for line in lines]

    def undo(self, count: int = 1) -> None:
        """Take back the last answers by key, after the pictures of what they added have come."""
        for _ in range(count):
            self.wait(lambda: self.script(_PICTURES_READY), "the pictures")
            self.press("u")
            (event,) = self.new_events()
            assert event["event"] == "undo"

    def _lines(self) -> list[str]:
        return self._journal.read_text(encoding="utf-8").splitlines() if self._journal.exists() else []


@contextmanager
def open_naming_page(root: Path, width: int = 1440, height: int = 900) -> Iterator[NamingPage]:
    """Serve the library, and open a browser on its page."""
    with serve_page(root) as process, open_browser(width=width, height=height) as driver:
        yield NamingPage(driver, process, root)
