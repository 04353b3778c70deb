"""`faceclust face move`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.face.boxes import parse_box
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.output.drawn_faces import print_drawn_face
from faceclust.library.selection import require_face


@click.command("move")
@click.argument("face", metavar="PHOTO#N")
@click.argument("box", metavar="LEFT,TOP,RIGHT,BOTTOM")
@library_option
@json_option
def command(face: str, box: str, library: Path | None, as_json: bool) -> None:
    """Correct the box of a face, given as PHOTO#2 or by its id.

    The name and all other answers about the face stay with it. The box is given in pixels of the upright
    photo.

    \b
    Examples:
      faceclust face move party.jpg#2 310,120,390,220
      faceclust face move 4f1c0a9be2d85c11 310,120,390,220
    """
    opened = open_library(library)
    size = opened.occurrences_of[require_face(opened, face)][0].photo_size
    event = record_and_print(opened, as_json, lambda: opened.move_face(face, parse_box(box, size)))
    print_drawn_face(opened, as_json, event)
