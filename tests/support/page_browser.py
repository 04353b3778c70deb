"""The page for naming people in a real browser, with a library of drawn faces."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from faceclust import Library
from faceclust.people.events import JournalFace
from tests.support.browser import open_browser, set_screen_size
from tests.support.drawn_faces import write_drawn_library
from tests.support.web import PageProcess, serve_page

WAIT_SECONDS = 10
#: Answers that the server refused; photos, which a library of drawn faces does not have; and the icon of the sign-in.
_EXPECTED = re.compile(
    r"/api/(answers|undo) - .* status of (409|422)|/photo/[0-9a-f]+\.jpg - .* status of 404|/favicon\.ico - "
)


def make_drawn_library(
    root: Path,
    sizes: list[int],
    *,
    spread: float = 0.03,
    pairs: int = 0,
    near: Mapping[int, tuple[int, float]] = {},
    pool: int = 10**9,
) -> Library:
    """Make a clustered library of people with so many faces each, on photos of one face.

    `spread`: the mean squared L2 between faces of one person, of unit length. The first two people are on the same
    photo `pairs` times. `near`: person → another one and how far (squared L2) the first is from that one. `pool`: see
    `write_drawn_library`.
    """
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.standard_normal((len(sizes), 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    for number, (other, distance) in near.items():
        centres[number] = centres[other] + centres[number] * np.sqrt(distance)
    embeddings = centres[person] + rng.standard_normal((len(person), 128)) * np.sqrt(spread / 2 / 128)
    photo = np.arange(len(person))
    photo[sizes[0] : sizes[0] + pairs] = photo[:pairs]
    library = write_drawn_library(root, embeddings.astype(np.float32), person, photo, pool=pool)
    library.cluster()
    return library


class PageBrowser:
    """A browser with the page open. `client` sends requests of its own, as another page would."""

    wait_seconds = WAIT_SECONDS

    def __init__(self, driver: webdriver.Chrome, process: PageProcess, root: Path) -> None:
        self.driver, self.process, self.root = driver, process, root
        self.base = process.sign_in(driver).partition("#")[0]
        self.wait(lambda: self.script("return document.querySelector('#screen').childElementCount > 0"), "the page")

    @property
    def client(self) -> httpx.Client:
        """Signed in by the browser's cookie, once more each time."""
        cookie = self.driver.get_cookies()[0]
        return httpx.Client(
            base_url=self.base,
            headers={"Cookie": f"{cookie['name']}={cookie['value']}", "Sec-Fetch-Site": "same-origin"},
            trust_env=False,
            timeout=30,
        )

    def script(self, code: str, *arguments: object) -> Any:
        return self.driver.execute_script(code, *arguments)

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until the condition returns something true, and return it."""
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                if found := condition():
                    return found
            except StaleElementReferenceException:  # replaced in between
                pass
            assert time.monotonic() < deadline, f"waited in vain for {what}; {self.text('#problem')!r}, {self.errors()}"
            time.sleep(0.02)

    def open(self, screen: str, wait_for: str) -> None:
        """Open a screen from scratch, and wait for an element."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.base}#/{screen}")
        self.wait(lambda: self.all(wait_for), wait_for)

    def go(self, screen: str, wait_for: str) -> None:
        """Go to a screen by its address, without loading the page again."""
        self.script("location.hash = arguments[0]", f"#/{screen}")
        self.wait(lambda: self.all(wait_for), wait_for)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def wait_text(self, selector: str, part: str) -> str:
        """Wait until the text of an element contains this, and return the text."""
        return str(self.wait(lambda: part in (text := self.text(selector)) and text, f"{part!r} in {selector}"))

    def press(self, *keys: str) -> None:
        """Press keys one after the other at the element that has the focus."""
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def press_with(self, modifier: str, key: str) -> None:
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    @property
    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def answers(self) -> list[dict[str, Any]]:
        """The events of the journal, as the library reads them now."""
        return [
            {"kind": event.kind, "name": event.name, "faces": _ids(event.faces), "rest": _ids(event.rest)}
            for event in Library(self.root).journal.events()
        ]

    def errors(self) -> list[str]:
        """What the browser's console reported since the last call, except for what these tests expect."""
        messages = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [message for message in messages if not _EXPECTED.search(message)]


def _ids(faces: Sequence[JournalFace]) -> list[str]:
    return [face.face_id for face in faces]


@contextmanager
def open_page(root: Path, width: int = 1440, height: int = 900) -> Iterator[PageBrowser]:
    """Serve the page of a library and open it in a browser."""
    with serve_page(root) as process, open_browser(width=width, height=height) as driver:
        set_screen_size(driver, width, height)
        yield PageBrowser(driver, process, root)


def undo_all(page: PageBrowser, keep: int = 0) -> None:
    """Take back all answers but the first `keep`."""
    journal = Library(page.root).journal
    with page.client as client:
        for _ in journal.undoable()[: len(journal.undoable()) - keep]:
            position = client.get("api/state").json()["position"]
            client.post("api/undo", json={"position": position, "redo": False}).raise_for_status()
