"""Faces in block characters: what is drawn, in which colours, and how many fit on a screen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.segment import Segment

from faceclust.cli.terminal.block_pictures import BlockPictures
from faceclust.cli.terminal.pictures import describe_better_pictures, faces_per_screen, render_faces
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait

#: The quadrants that have the foreground colour: upper left, upper right, lower left, lower right.
QUADRANTS = {
    " ": (0, 0, 0, 0),
    "▘": (1, 0, 0, 0),
    "▝": (0, 1, 0, 0),
    "▖": (0, 0, 1, 0),
    "▗": (0, 0, 0, 1),
    "▀": (1, 1, 0, 0),
    "▌": (1, 0, 1, 0),
    "▚": (1, 0, 0, 1),
}
SYSTEMS = ["truecolor", "256", "standard"]


def make_console(system: str | None, width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        color_system=system,  # type: ignore[arg-type]
        no_color=system is None,
        _environ={"TERM": "xterm-256color"},
    )


def crop_face(person: str) -> Image.Image:
    box = (175, 65, 275, 165) if person == COLLINS else (165, 90, 345, 270)
    return load_portrait(person).crop(box)


def draw_lines(pictures: BlockPictures, console: Console) -> list[list[Segment]]:
    return list(Segment.split_lines(console.render(pictures)))


def read_pixels(lines: list[list[Segment]]) -> NDArray[np.float64]:
    """Return the picture that a terminal shows, grey, with two by two pixels a cell."""
    rows = []
    for line in lines:
        halves: list[list[float]] = [[], []]
        for segment in line:
            assert segment.style and segment.style.color and segment.style.bgcolor
            shades = [sum(colour.get_truecolor()) / 3 for colour in (segment.style.bgcolor, segment.style.color)]
            for number, on in enumerate(QUADRANTS[segment.text]):
                halves[number // 2].append(shades[on])
        rows += halves
    return np.array(rows)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("person", [COLLINS, HOPPER])
def test_a_face_is_recognisable(system: str, person: str) -> None:
    """What is shown correlates with the photo, and more than with the other person's."""
    shown = read_pixels(draw_lines(BlockPictures([crop_face(person)], 26), make_console(system)))
    assert shown.shape == (26, 52)
    correlation = {
        other: np.corrcoef(shown.ravel(), np.asarray(crop_face(other).convert("L").resize((52, 26))).ravel())[0, 1]
        for other in (COLLINS, HOPPER)
    }
    assert correlation[person] > {"truecolor": 0.95, "256": 0.95, "standard": 0.85}[system]
    assert correlation[person] > max(correlation.values()) - 1e-9 and min(correlation.values()) < 0.8


def test_dots_show_the_face_without_colours() -> None:
    lines = draw_lines(BlockPictures([crop_face(HOPPER)], 26), make_console(None))
    assert all(segment.style is None or not segment.style for line in lines for segment in line)
    counts = np.array(
        [[bin(ord(character) - 0x2800).count("1") for s in line for character in s.text] for line in lines]
    )
    assert counts.shape == (13, 26) and counts.max() == 8 and counts.min() == 0
    photo = np.asarray(crop_face(HOPPER).convert("L").resize((26, 13)))
    assert np.corrcoef(counts.ravel(), photo.ravel())[0, 1] > 0.75


@pytest.mark.parametrize(("system", "allowed"), [("256", {16, 231, *range(232, 256)}), ("standard", {0, 7, 8, 15})])
def test_terminals_with_few_colours_get_greys(system: str, allowed: set[int]) -> None:
    lines = draw_lines(BlockPictures([crop_face(COLLINS)], 20), make_console(system))
    styles = [segment.style for line in lines for segment in line if segment.style]
    numbers = {colour.number for style in styles for colour in (style.color, style.bgcolor) if colour}
    assert len(numbers) > 3 and numbers <= allowed


def test_a_missing_picture_leaves_its_place_blank() -> None:
    lines = draw_lines(BlockPictures([None, crop_face(COLLINS)], 10), make_console("256"))
    assert len(lines) == 5
    assert all("".join(segment.text for segment in line)[:11] == " " * 11 for line in lines)
    assert {sum(len(segment.text) for segment in line) for line in lines} == {21}


#: The size of a terminal, the faces on a screen, and the width of each with so many of them.
SCREENS = {
    (80, 24): (3, 26),
    (100, 30): (3, 32),
    (160, 50): (10, 31),
    (200, 24): (7, 27),
    (60, 24): (2, 28),
    (40, 24): (2, 28),
    (20, 24): (2, 20),
    (80, 15): (3, 12),
    (300, 80): (24, 36),
}


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("system", ["256", None])
def test_faces_fit_the_screen(size: tuple[int, int], system: str | None) -> None:
    (width, height), (count, columns) = size, SCREENS[size]
    console = make_console(system, width, height)
    assert faces_per_screen(console) == count
    stream = io.BytesIO()
    crop_face(COLLINS).save(stream, "JPEG")
    lines = console.render_lines(render_faces([(stream.getvalue(), "1 very alike")] * count, console), pad=False)
    drawn = ["".join(segment.text for segment in line) for line in lines]
    assert max(map(len, drawn)) <= width
    captions = [line for line in drawn if "1 very alike" in line]
    assert len(captions) == len(drawn) // (columns // 2 + 1)
    if width >= 60 and height >= 24:
        assert len(drawn) <= height - 8  # the question, the keys, the prompt and its menu


@pytest.mark.parametrize(
    ("system", "is_told"), [("256", True), ("standard", True), ("truecolor", False), (None, False)]
)
def test_the_variable_that_switches_colours_on_is_told(system: str | None, is_told: bool) -> None:
    words = describe_better_pictures(make_console(system))
    assert ("export COLORTERM=truecolor" in words) == is_told
    assert "faceclust label --web" in words
