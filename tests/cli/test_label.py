"""The interview in a real terminal, whose screen is read as a user sees it."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.people.journal import Journal

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

from tests.support.terminal import LabelTerminal

pytestmark = pytest.mark.process


@pytest.mark.slow
def test_an_interview_from_start_to_finish(library: Library) -> None:
    terminal = LabelTerminal(library.root)
    screen = terminal.wait_for_question("(group 1)")
    assert "0 answers, 2 questions left" in screen and "faces on" in screen and "2019–2021" in screen
    assert "▚" in screen and "▖" in screen  # pictures in quadrants
    assert screen.splitlines()[-1].strip() == ""  # everything fits on one screen
    terminal.type("Eileen Collins\r")
    screen = terminal.wait_for_question("(group 2)")
    assert [e.name for e in Journal(library.home.journal).events()] == ["Eileen Collins"]  # before the next question
    assert "1 answer, 1 question left" in screen
    terminal.type("u\r")
    terminal.wait_for_text("taken back: Eileen Collins")
    terminal.wait_for_question("(group 1)")
    terminal.type("Eileen Collins\r")
    terminal.wait_for_text("saved: Eileen Collins (6 faces, 3 of them confirmed)")
    terminal.wait_for_question("(group 2)")
    terminal.type("b\r")
    terminal.wait_for_question("(group 1)")
    terminal.type("3 Eileen Collins\r")
    terminal.wait_for_text("(3 faces, 2 of them confirmed), not 1 other; 2 more went")
    terminal.wait_for_question("(group 2)")
    terminal.type("n\r")
    terminal.wait_for_text("ignored (6 faces)")
    while "No more questions" not in terminal.text:
        terminal.type("\r")
        terminal.read()
    terminal.wait_for_text("1 person named, on")
    assert terminal.wait_for_exit() == 0
    again = Library(library.root)
    assert [person.name for person in again.people()] == ["Eileen Collins"]
    assert [e.kind for e in again.journal.events()] == ["name", "undo", "name", "undo", "name", "ignore"]


@pytest.mark.slow
def test_a_terminal_of_unknown_size_shows_no_pictures(library: Library) -> None:
    terminal = LabelTerminal(library.root)
    terminal.child.setwinsize(0, 0)
    terminal.wait_for_text("faces on")
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0
    assert "▀" not in terminal.text and "▚" not in terminal.text


@pytest.mark.slow
def test_every_key_is_explained_and_photos_are_opened(library: Library, tmp_path: Path) -> None:
    import os

    viewer = tmp_path / "bin/xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    viewer.chmod(0o755)
    terminal = LabelTerminal(library.root, PATH=f"{viewer.parent}:{os.environ['PATH']}")
    terminal.wait_for_question("(group 1)")
    terminal.type("?\r")
    screen = terminal.wait_for_text("continues from here")
    keys = ("a name ", "n  ", "2 3  ", "Enter ", "b  ", "u, U ", "m  ", "s  ", "r  ", "o, o 2 ", "q  ")
    for key in keys:
        assert key in screen, key
    for answer, number in (("o\r", 1), ("o 2\r", 2)):
        terminal.type(answer)
        end = time.monotonic() + 20
        while not (tmp_path / "opened").exists() or len((tmp_path / "opened").read_text().splitlines()) < number:
            assert time.monotonic() < end, terminal.text
            terminal.read()
    opened = [Path(line) for line in (tmp_path / "opened").read_text().splitlines()]
    assert opened[0] != opened[1] and all(photo.is_file() and photo.is_relative_to(library.root) for photo in opened)
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0


@pytest.mark.slow
def test_the_nearest_known_person_is_shown_with_the_similarity_in_words(
    collins: tuple[Library, int, set[str]],
) -> None:
    library, _, faces = collins
    library.cluster(0.02)  # now her faces are in several groups, or alone
    (largest, *_) = sorted((f for f in library.group_members.values() if set(f) <= faces), key=len, reverse=True)
    library.name(largest, "Eileen Collins")
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("Who is this?")  # the other person, in one large group
    terminal.type("\r")
    screen = terminal.wait_for_question("Eileen Collins too?")
    assert re.search(r"^Eileen Collins +1 (\d faces, )?(very |somewhat )?alike", screen, re.M)
    terminal.type("y\r")
    terminal.wait_for_text("saved: Eileen Collins (")
    terminal.type("q\r")
    terminal.wait_for_exit()
    assert len(Library(library.root).find_person("Eileen Collins").confirmed) > len(largest)


@pytest.mark.slow
def test_tab_completes_a_known_name(library: Library) -> None:
    library.name(library.faces_in_group(1), "Eileen Collins")
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("(group ")
    terminal.type("eile")
    terminal.wait_for_text("Eileen Collins")  # the menu
    terminal.type("\t\r")
    terminal.wait_for_text("twice on 2 photos")  # they are two people
    terminal.type("y\r")
    terminal.wait_for_text("saved: Eileen Collins")
    terminal.wait_for_text("See Eileen Collins's 2 other faces?")
    terminal.type("\r")
    terminal.wait_for_exit()
    (person,) = Library(library.root).people()
    assert person.clusters == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["q\r", "quit\r", "\x04", "\x03"])
def test_stopping_saves_nothing(library: Library, keys: str) -> None:
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("(group ")
    terminal.type(keys)
    terminal.wait_for_text("0 answers saved")
    assert terminal.wait_for_exit() == (130 if keys == "\x03" else 0)
    assert not library.home.journal.exists()


@pytest.mark.slow
def test_skipping_moves_on_and_invalid_answers_are_explained(library: Library) -> None:
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("(group 1)")
    terminal.type("x\r")
    terminal.wait_for_text("'x' is not a name")
    terminal.type("\r")
    terminal.wait_for_question("(group 2)")
    terminal.type("u\r")
    terminal.wait_for_text("nothing to take back")
    terminal.type("q\r")
    terminal.wait_for_exit()


@pytest.mark.slow
def test_more_faces_and_drawing_again(library: Library) -> None:
    terminal = LabelTerminal(library.root, COLORTERM="")
    screen = terminal.wait_for_question("(group 1)")
    assert "Faces are grey. If your terminal has all colours: export COLORTERM=truecolor" in screen
    assert "m more faces" in screen and re.search("^1 +2 +3 *$", screen, re.M)
    terminal.type("m\r")
    terminal.wait_for_text(f"4{' ' * 26}5{' ' * 26}6")
    terminal.wait_for_question("(group 1)")
    terminal.type("m\r")
    terminal.wait_for_text("all faces are shown")
    terminal.wait_for_question("(group 1)")
    terminal.screen.resize(24, 66)
    terminal.child.setwinsize(24, 66)
    terminal.wait_for_question("(group 1)")
    terminal.type("r\r")
    terminal.wait_for_text(f"5{' ' * 28}6")  # two in each row now
    terminal.wait_for_question("(group 1)")
    terminal.type("6 Eileen Collins\r")
    terminal.wait_for_text("(5 faces), not 1 other")
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0


@pytest.mark.slow
def test_label_works_without_colour(library: Library) -> None:
    terminal = LabelTerminal(library.root, NO_COLOR="1")
    terminal.wait_for_question("(group ")
    terminal.type("Anna\r")
    terminal.wait_for_text("saved: Anna")
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0


@pytest.mark.slow
def test_kill_9_keeps_every_answer(library: Library) -> None:
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("(group 1)")
    terminal.type("Anna\r")
    terminal.wait_for_question("(group 2)")
    terminal.child.kill(9)
    terminal.wait_for_exit()
    assert [person.name for person in Library(library.root).people()] == ["Anna"]


# textual-image still uses a function that Pillow 14, which we do not allow yet, removes.
@pytest.mark.filterwarnings("ignore:Image.Image.getdata")
def test_each_terminal_gets_its_own_graphics_protocol(library: Library) -> None:
    import io

    from rich.console import Console
    from textual_image import renderable

    from faceclust.cli.terminal.pictures import render_faces

    places = library.occurrences[:3]
    pictures = list(library.thumbnails(places).values())
    protocols = {}
    original = renderable.Image
    try:
        for kind in (renderable.SixelImage, renderable.TGPImage, renderable.HalfcellImage):
            renderable.Image = kind  # as textual-image does after querying the terminal
            console = Console(
                file=io.StringIO(), force_terminal=True, width=80, color_system="truecolor", no_color=False
            )
            console.print(render_faces([(picture, "words") for picture in pictures], console))
            protocols[kind] = console.file.getvalue()  # type: ignore[attr-defined]
    finally:
        renderable.Image = original
    assert "\x1bP" in protocols[renderable.SixelImage]
    assert "\U0010eeee" in protocols[renderable.TGPImage]  # the placeholders on which kitty draws the picture
    assert "▚" in protocols[renderable.HalfcellImage]
    assert Path(library.home.thumbs).is_dir()
