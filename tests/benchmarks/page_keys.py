"""Thousands of groups named on the page by keys alone, in a browser; the journal must be the terminal's.

    python -m tests.benchmarks.page_keys [--groups 2000] [--questions 20]

Makes a synthetic library with drawn faces. The first questions are answered on the screen Ask, then every row of the
wall of groups gets an answer: a new name, a known one chosen from the list, a name without one of the faces,
or none. Each row is answered once its pictures are there, as by somebody who looks at them. A copy of the library
gets the same answers from the interview of the terminal and from the library. The lines of both journals
must be the same, except for times and ids.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from selenium.webdriver import Keys

from faceclust import Library
from faceclust.interview.questions import QuestionKind
from faceclust.interview.replies import name_groups
from faceclust.interview.session import Interview
from faceclust.web.session import PICTURES
from tests.support.browser import open_browser
from tests.support.page_browser import PageBrowser, make_drawn_library
from tests.support.page_client import records
from tests.support.web import serve_page


@dataclass(frozen=True)
class RowAnswer:
    """An answer to a row of the wall. Without a name, the group is ignored."""

    group: int
    name: str | None = None
    left_out: tuple[str, ...] = ()


def answer_question(number: int, accepts_name: bool) -> str:
    """Return the answer to a question, as it is typed in a terminal."""
    return f"Person {number:04d}" if accepts_name else "yn"[number % 2]


def answer_questions(page: PageBrowser, count: int) -> list[str]:
    """Answer the first questions by keys. Return the answers."""
    given: list[str] = []
    page.open("ask", "#question")
    for number in range(count):
        page.wait(lambda: page.all(".ask[aria-busy='false'] #question"), "a question")
        is_who = "Who" in page.text("#question")
        answer = answer_question(number, is_who)
        page.press(answer, Keys.ENTER) if is_who else page.press(answer)
        given.append(answer)
        page.wait(lambda: len(page.answers()) == len(given), f"answer {answer!r} to {page.text('#question')!r}")
    page.wait(lambda: page.all(".ask[aria-busy='false']"), "the next question")
    return given


def answer_row(page: PageBrowser, at: int, group: int, faces: int) -> RowAnswer:
    """Answer one row by keys, once its pictures are there; the focus is on the row or in its field."""
    row = f".row[data-at='{at}']"
    shown = min(faces, 8)
    page.wait(
        lambda: len(page.all(f"{row} .tile[data-face]:not([data-face='']):not([hidden])")) == shown,
        f"the pictures of {row}",
    )
    name = f"Person {5000 + at:04d}"
    if at % 10 == 7:
        page.press(Keys.ESCAPE, "i")
        return RowAnswer(group)
    if at % 10 == 5:
        known = f"Person {5000 + at - 1:04d}"
        page.wait_text("#last", known)  # it completes from then on
        page.press(known[-4:], Keys.ARROW_DOWN, Keys.ENTER)
        return RowAnswer(group, known)
    if at % 10 == 3 and faces > 2:
        page.press(Keys.ESCAPE, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "x")
        face = str(page.focused.get_attribute("data-face"))
        page.press(Keys.ENTER, name, Keys.ENTER)
        return RowAnswer(group, name, (face,))
    page.press(name, Keys.ENTER)
    return RowAnswer(group, name)


def answer_rows(page: PageBrowser) -> list[RowAnswer]:
    """Answer all rows of the wall, and wait until the last one is saved."""
    with page.client as client:
        groups = client.get("api/groups").json()["groups"]
    page.go("groups", ".row .tile img")
    given: list[RowAnswer] = []
    for at, (group, faces, *_) in enumerate(groups):
        if not page.script("return document.activeElement.matches('.naming input')"):
            page.press(Keys.ENTER)
        given.append(answer_row(page, at, group, faces))
    page.wait(lambda: f"{len(groups):,} answered" in page.text("#groups-note"), "the last row")
    return given


def answer_in_terminal(library: Library, questions: list[str], rows: list[RowAnswer]) -> None:
    """Give the same answers by the interview of the terminal and by the library."""
    interview = Interview(library, pictures_per_row=PICTURES)
    for number, answer in enumerate(questions):
        question = interview.next_question()
        assert question is not None
        assert answer == answer_question(number, question.question.kind is QuestionKind.WHO)
        interview.answer(question, answer)
    for row in rows:
        if row.name is None:
            library.ignore(row.group)
        elif row.left_out:
            seen = tuple(face for face in library.group_members[row.group] if face not in row.left_out)
            name_groups(library, (row.group,), row.name, seen=seen, left_out=row.left_out)
        else:
            library.name(row.group, row.name)


def main() -> None:
    """Make the library, answer on the page and in the terminal, and compare the journals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, twin = Path(folder) / "page", Path(folder) / "terminal"
        sizes = sorted((2 + np.random.default_rng(1).integers(0, 4, options.groups)).tolist(), reverse=True)
        make_drawn_library(root, sizes, pool=20)
        shutil.copytree(root, twin)
        with serve_page(root) as process, open_browser() as driver:
            page = PageBrowser(driver, process, root)
            page.wait_seconds = 120
            began = time.perf_counter()
            questions = answer_questions(page, options.questions)
            asked = time.perf_counter()
            rows = answer_rows(page)
            ended = time.perf_counter()
            assert page.errors() == []
        answer_in_terminal(Library(twin), questions, rows)
        of_page, of_terminal = records(Library(root)), records(Library(twin))
        assert len(of_page) == len(questions) + len(rows), f"{len(of_page)} lines"
        for number, (line, other) in enumerate(zip(of_page, of_terminal, strict=True), start=1):
            assert line == other, f"line {number}: {line} on the page, {other} in the terminal"
    print(f"{len(questions)} questions, {(asked - began) / max(1, len(questions)):.2f} s each")
    print(f"{len(rows):,} rows, {(ended - asked) / max(1, len(rows)):.2f} s each, load {os.getloadavg()[0]:.0f}")
    print(f"{len(of_page):,} lines, the same in both journals")


if __name__ == "__main__":
    main()
