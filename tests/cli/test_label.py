"""The interview over a real terminal, its screen read as a user sees it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.people.journal import Journal

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

import pexpect
import pyte

from tests.cli.program import COMMAND


class Terminal:
    """`faceclust label` on an 80×24 screen."""

    def __init__(self, library: Library, **env: str) -> None:
        import os

        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
        self.child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], "label", "--library", str(library.root)],
            dimensions=(24, 80),
            env=variables | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | env,
            timeout=30,
        )

    def wait(self, words: str, seconds: float = 30) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read()
            if words in self.text:
                return self.text
        raise AssertionError(f"{words!r} did not show:\n{self.text}")

    def question(self, words: str) -> str:
        """Wait until this group is asked about and the prompt waits for an answer."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self._read()
            heading, asked = self.text.rfind(words), self.text.rfind("q stop)")
            if 0 <= heading < asked and "to go ─" not in self.text[heading + len(words) + 12 :]:
                return self.text
        raise AssertionError(f"{words!r} was not asked:\n{self.text}")

    def type(self, keys: str) -> None:
        self.child.send(keys)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def _read(self) -> None:
        try:
            data = self.child.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            time.sleep(0.05)
            return
        self.stream.feed(data)
        if b"\x1b[6n" in data:  # "where is the cursor?": a terminal answers
            self.child.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    def end(self) -> int:
        for _ in range(100):
            if not self.child.isalive():
                break
            self._read()
        self.child.close()
        return int(self.child.exitstatus or 0)


def test_an_interview_from_first_to_last(library: Library) -> None:
    terminal = Terminal(library)
    screen = terminal.question(" to go")
    assert "group 1, 2 to go" in screen and "faces on" in screen and "2019–2021" in screen
    assert "▀" in screen or "▄" in screen  # pictures in half-blocks
    terminal.type("Eileen Collins\r")
    screen = terminal.question("group 2, 1 to go")
    assert [e.name for e in Journal(library.home.journal).events()] == ["Eileen Collins"]  # before the next question
    terminal.type("u\r")
    terminal.wait("taken back: Eileen Collins")
    terminal.question("group 1, 2 to go")
    terminal.type("Eileen Collins\r")
    terminal.wait("saved: Eileen Collins")
    terminal.question("group 2, 1 to go")
    terminal.type("i\r")
    terminal.wait("No more groups to ask about")
    assert terminal.end() == 0
    again = Library(library.root)
    assert [person.name for person in again.people()] == ["Eileen Collins"]
    assert again.unnamed_groups() == ()
    assert [e.kind for e in again.journal.events()] == ["name", "undo", "name", "ignore"]


def test_tab_completes_a_known_name(library: Library) -> None:
    library.name(library.group(1), "Eileen Collins")
    terminal = Terminal(library)
    terminal.question(" to go")
    terminal.type("eile")
    terminal.wait("Eileen Collins")  # the menu
    terminal.type("\t\r")
    terminal.wait("saved: Eileen Collins")
    terminal.end()
    (person,) = Library(library.root).people()
    assert person.clusters == (1, 2)


@pytest.mark.parametrize("keys", ["q\r", "quit\r", "\x04", "\x03"])
def test_stopping_saves_nothing_more(library: Library, keys: str) -> None:
    terminal = Terminal(library)
    terminal.question(" to go")
    terminal.type(keys)
    terminal.wait("0 answers saved")
    assert terminal.end() == (130 if keys == "\x03" else 0)
    assert not library.home.journal.exists()


def test_skipping_asks_the_next_and_typing_errors_are_said(library: Library) -> None:
    terminal = Terminal(library)
    terminal.question("group 1, 2 to go")
    terminal.type("x\r")
    terminal.wait("'x' is no answer")
    terminal.type("\r")
    terminal.question("group 2, 1 to go")
    terminal.type("u\r")
    terminal.wait("nothing to take back")
    terminal.type("q\r")
    terminal.end()


def test_without_colour_it_still_works(library: Library) -> None:
    terminal = Terminal(library, NO_COLOR="1")
    terminal.question(" to go")
    terminal.type("Anna\r")
    terminal.wait("saved: Anna")
    terminal.type("q\r")
    assert terminal.end() == 0


def test_kill_9_keeps_every_answer(library: Library) -> None:
    terminal = Terminal(library)
    terminal.question("group 1, 2 to go")
    terminal.type("Anna\r")
    terminal.question("group 2, 1 to go")
    terminal.child.kill(9)
    terminal.end()
    assert [person.name for person in Library(library.root).people()] == ["Anna"]


# textual-image still uses a Pillow function that goes with Pillow 14, which we do not allow yet.
@pytest.mark.filterwarnings("ignore:Image.Image.getdata")
def test_each_kind_of_terminal_gets_its_own_graphics(library: Library) -> None:
    import io

    from rich.console import Console
    from textual_image import renderable

    from faceclust.cli.pictures import face_strip

    places = library.places[:3]
    pictures = list(library.pictures(places).values())
    seen = {}
    original = renderable.Image
    try:
        for kind in (renderable.SixelImage, renderable.TGPImage, renderable.HalfcellImage):
            renderable.Image = kind  # what the library sets after asking the terminal
            console = Console(
                file=io.StringIO(), force_terminal=True, width=80, color_system="truecolor", no_color=False
            )
            console.print(face_strip(pictures, console))
            seen[kind] = console.file.getvalue()  # type: ignore[attr-defined]
    finally:
        renderable.Image = original
    assert "\x1bP" in seen[renderable.SixelImage]
    assert "\U0010eeee" in seen[renderable.TGPImage]  # the placeholders kitty puts the picture on
    assert "▀" in seen[renderable.HalfcellImage] or "▄" in seen[renderable.HalfcellImage]
    assert Path(library.home.thumbs).is_dir()
