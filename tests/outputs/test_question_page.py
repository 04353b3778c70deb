"""The page of questions in a browser, opened from a file as a mail attachment is: answers come home as names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from faceclust import Library
from faceclust.outputs.question_page.render import PageQuestion, render_question_page
from faceclust.people.answers_file import AnswersFile, GivenAnswer, parse_answers
from tests.support.axe import find_violations
from tests.support.browser import (
    emulate_media,
    open_browser,
    pop_requested_urls,
    set_screen_size,
    write_page,
)
from tests.support.command import run_checked
from tests.support.drawn_faces import draw_face
from tests.support.sample_photos import COLLINS, HOPPER

pytestmark = pytest.mark.browser

PAGE_ID = "0123456789abcdef" * 2
FILE_NAME = "faceclust-answers-01234567.json"
EVIL = "<img src=x onerror=document.title=1></bdi><script>document.title=1</script>{{ 7*7 }}\"'"


def build_page(*names: str | None) -> str:
    questions = [
        PageQuestion(tuple(draw_face(person, shot) for shot in range(4)), name) for person, name in enumerate(names)
    ]
    return render_question_page(PAGE_ID, questions, max_name_length=200)


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def downloads(driver: webdriver.Chrome, tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    return folder


@pytest.fixture
def open_page(driver: webdriver.Chrome, tmp_path: Path) -> Callable[[str], None]:
    """Open a page from a file, on a desktop screen, without what an earlier test typed."""

    def open_html(html: str) -> None:
        set_screen_size(driver, 1440)
        emulate_media(driver)
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(write_page(tmp_path / "page.html", html))

    return open_html


def one(driver: webdriver.Chrome, selector: str) -> WebElement:
    return driver.find_element(By.CSS_SELECTOR, selector)


def choose(driver: webdriver.Chrome, question: int, value: str) -> None:
    element = one(driver, f"[data-question='{question}'] [value={value}]")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", element)


def wait_for_file(folder: Path) -> Path:
    """Wait until the browser has saved a file."""
    end = time.monotonic() + 20
    while not (found := [path for path in folder.glob("*") if path.suffix == ".json"]):
        assert time.monotonic() < end, "no file was saved"
        time.sleep(0.05)
    return found[-1]


def test_answers_become_a_file_that_is_read_as_they_were_given(
    driver: webdriver.Chrome, downloads: Path, open_page: Callable[[str], None]
) -> None:
    open_page(build_page(None, "Anna", "Anna", "Ben", None, None))
    assert one(driver, "#progress").text == "0 of 6 answered"
    one(driver, "#sender").send_keys('Tante "Märy" \\ 李')
    one(driver, "#name-1").send_keys(" Zoë 😀 ")
    choose(driver, 2, "yes")
    choose(driver, 3, "no")
    one(driver, "#name-3").send_keys("Carl")
    choose(driver, 4, "no")
    choose(driver, 5, "unknown")
    assert one(driver, "#progress").text == "5 of 6 answered"
    one(driver, "#save").click()
    file = wait_for_file(downloads)
    assert file.name == FILE_NAME and f"Saved as {FILE_NAME}" in one(driver, "#result").text
    assert file.read_bytes().isascii()
    assert parse_answers(file.read_bytes()) == AnswersFile(
        PAGE_ID,
        'Tante "Märy" \\ 李',
        (
            GivenAnswer(1, None, "Zoë 😀"),
            GivenAnswer(2, True),
            GivenAnswer(3, False, "Carl"),
            GivenAnswer(4, False),
            GivenAnswer(5),
        ),
    )
    one(driver, "#copy").click()
    assert one(driver, "#text").get_attribute("value") == file.read_text()
    assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_nothing_is_requested_from_anywhere(driver: webdriver.Chrome, open_page: Callable[[str], None]) -> None:
    pop_requested_urls(driver)
    open_page(build_page(None, "Anna"))
    assert all(url.startswith(("file://", "data:image/jpeg", "about:blank")) for url in pop_requested_urls(driver))


def test_a_name_and_an_answer_are_needed_to_save(
    driver: webdriver.Chrome, downloads: Path, open_page: Callable[[str], None]
) -> None:
    open_page(build_page(None))
    one(driver, "#save").click()
    assert driver.switch_to.active_element == one(driver, "#sender")
    assert one(driver, "#sender").get_attribute("aria-invalid") == "true"
    assert "Type your name first" in one(driver, "#sender-why").text
    one(driver, "#sender").send_keys("Mary")
    assert one(driver, "#sender").get_attribute("aria-invalid") is None
    one(driver, "#save").click()
    assert one(driver, "#result").text == "No question is answered yet." and not list(downloads.glob("*"))


def test_an_answer_takes_the_place_of_another(driver: webdriver.Chrome, open_page: Callable[[str], None]) -> None:
    open_page(build_page(None, "Anna"))
    one(driver, "#name-1").send_keys("Ben")
    choose(driver, 1, "unknown")
    assert one(driver, "#name-1").get_attribute("value") == ""
    one(driver, "#name-1").send_keys("Ben")
    assert not one(driver, "[data-question='1'] [value=unknown]").is_selected()
    assert not one(driver, "#name-2").is_displayed()  # until the answer is no
    choose(driver, 2, "no")
    assert one(driver, "#name-2").is_displayed()
    choose(driver, 2, "yes")
    assert not one(driver, "#name-2").is_displayed()


def test_the_keyboard_is_enough(driver: webdriver.Chrome, downloads: Path, open_page: Callable[[str], None]) -> None:
    open_page(build_page(None, None, "Anna"))
    one(driver, "#sender").send_keys("Mary" + Keys.ENTER)
    actions = ActionChains(driver)
    for key in ("Zoe", Keys.ENTER, "Ben", Keys.ENTER, Keys.SPACE, Keys.TAB, Keys.ENTER):
        actions.send_keys(key)
    actions.perform()
    given = parse_answers(wait_for_file(downloads).read_bytes())
    assert given.answers == (GivenAnswer(1, None, "Zoe"), GivenAnswer(2, None, "Ben"), GivenAnswer(3, True))


def test_a_hostile_name_is_text(driver: webdriver.Chrome, open_page: Callable[[str], None]) -> None:
    open_page(build_page(EVIL))
    assert one(driver, "legend bdi").text == EVIL
    assert driver.title == "Who are these people?" and not driver.find_elements(By.CSS_SELECTOR, "[onerror]")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark"), (320, "light")])
def test_the_page_is_accessible_and_fits(
    driver: webdriver.Chrome, open_page: Callable[[str], None], width: int, scheme: str
) -> None:
    open_page(build_page(None, "Anna", "A" * 200))
    set_screen_size(driver, width, 844)
    emulate_media(driver, prefers_color_scheme=scheme)
    for step in range(2):
        assert find_violations(driver) == []
        overflow = driver.execute_script("const e = document.documentElement; return e.scrollWidth - e.clientWidth")
        assert overflow <= 0, f"{overflow} px too wide"
        if not step:
            one(driver, "#sender").send_keys("Mary")
            choose(driver, 2, "no")
            one(driver, "#name-1").send_keys("Ben")
            for button in ("#save", "#copy"):
                driver.execute_script("arguments[0].click()", one(driver, button))
    small = driver.execute_script(
        "return [...document.querySelectorAll('button, .choices label, input:not([type=radio], [type=checkbox])')]"
        ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).length"
    )
    assert small == 0  # a finger's width


def test_without_scripts_the_page_says_what_to_do(tmp_path: Path) -> None:
    with open_browser(scripts=False) as driver:
        driver.get(write_page(tmp_path / "page.html", build_page(None, "Anna")))
        assert "reply to the mail with the number and the name" in one(driver, "noscript p").text
        assert not one(driver, "#bar").is_displayed()


def test_from_the_library_to_a_relative_and_back(
    driver: webdriver.Chrome, downloads: Path, open_page: Callable[[str], None], library: Library, tmp_path: Path
) -> None:
    """The person of a group is named by somebody who only has the page."""
    sent = tmp_path / "sent.html"
    run_checked("label", "--send", sent, "-l", library.root)
    open_page(sent.read_text(encoding="utf-8"))
    assert len(driver.find_elements(By.CSS_SELECTOR, ".faces img")) == 12
    one(driver, "#sender").send_keys("Aunt Mary")
    one(driver, "#name-1").send_keys(COLLINS)
    one(driver, "#name-2").send_keys(HOPPER)
    one(driver, "#save").click()
    value: dict[str, Any] = json.loads(
        run_checked("journal", "--merge", wait_for_file(downloads), "--json", "-l", library.root)
    )
    assert value["taken_in"] == 2 and value["unanswered"] == 0
    people = Library(library.root).people()
    assert {person.name for person in people} == {COLLINS, HOPPER} and not any(person.confirmed for person in people)
