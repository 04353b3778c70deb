"""The page of `faceclust label --web` in a browser: press keys, and read what the journal got."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.remote.webelement import WebElement

from faceclust import Library
from tests.support.browser import open_browser
from tests.support.web import serve_page

T = TypeVar("T")
SECONDS = 30
_KEYS = {
    **{f"Arrow{name}": getattr(Keys, f"ARROW_{name.upper()}") for name in ("Up", "Down", "Left", "Right")},
    **{"Enter": Keys.ENTER, "Escape": Keys.ESCAPE, "Space": " ", "Tab": Keys.TAB},
}


class NamingPage:
    """A browser on the page of a library. `library` reads what the server has written."""

    def __init__(self, driver: Any, address: str, root: Path) -> None:
        self.driver, self.library = driver, Library(root)
        self._address = address.split("#")[0]
        self._journal = root / ".faceclust/people.jsonl"
        self._seen = 0

    def open(self, hash: str, css: str) -> None:
        """Open a screen, and wait for an element of it."""
        self.driver.execute_script("window.location.hash = arguments[0]", "#/help")
        self.wait_for("#letter-keys")
        self.driver.execute_script("window.location.hash = arguments[0]", hash)
        self.wait_for(css)
        self._seen = len(self._lines())

    def find(self, css: str) -> list[WebElement]:
        """The elements that are visible."""
        return [element for element in self.driver.find_elements("css selector", css) if element.is_displayed()]

    def texts(self, css: str) -> list[str]:
        """The texts of the visible elements."""
        return self._read(css, "one.innerText")

    def faces(self, css: str) -> list[str]:
        """The ids of the faces that visible elements stand for."""
        return self._read(css, "one.dataset.face")

    def _read(self, css: str, value: str) -> list[str]:
        script = f"return [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility()).map((one) => {value})"
        return [str(text) for text in self.run(script, css)]

    def wait_for(self, css: str) -> WebElement:
        """Wait until an element is visible, and return the first."""
        return self.eventually(lambda: self.find(css), css)[0]

    def eventually(self, read: Callable[[], T], what: str = "") -> T:
        """Wait until `read` returns something true."""
        deadline = time.monotonic() + SECONDS
        while not (value := read()):
            assert time.monotonic() < deadline, what or value
            time.sleep(0.02)
        return value

    def press(self, *keys: str) -> None:
        """Press keys where the focus is: "x", "U", "Enter", "Shift+ArrowDown"."""
        for key in keys:
            *held, last = key.split("+") if len(key) > 1 else [key]
            chain = ActionChains(self.driver)
            for name in held:
                chain.key_down(getattr(Keys, name.upper()))
            chain.send_keys(_KEYS.get(last, last))
            for name in held:
                chain.key_up(getattr(Keys, name.upper()))
            chain.perform()

    @property
    def focused(self) -> str:
        """The face that has the focus, or else its element's text."""
        return str(self.run("const at = document.activeElement; return at.dataset.face ?? at.textContent"))

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script on the page and return its value."""
        return self.driver.execute_script(script, *arguments)

    def new_events(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for new lines in the journal, and return them."""
        self.eventually(lambda: len(self._lines()) >= self._seen + count, f"{count} lines in the journal")
        lines, self._seen = self._lines()[self._seen :], len(self._lines())
        assert len(lines) == count
        return [json.loads(line) for line in lines]

    def undo(self, count: int = 1) -> None:
        """Take back the last answers by key."""
        for _ in range(count):
            self.press("u")
            (event,) = self.new_events()
            assert event["event"] == "undo"

    def _lines(self) -> list[str]:
        return self._journal.read_text(encoding="utf-8").splitlines() if self._journal.exists() else []


@contextmanager
def open_naming_page(root: Path, width: int = 1440, height: int = 900) -> Iterator[NamingPage]:
    """Serve the library, and open a browser on its page."""
    with serve_page(root) as server, open_browser(width, height) as driver:
        yield NamingPage(driver, server.sign_in(driver), root)
