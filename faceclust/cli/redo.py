"""`faceclust redo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import count_faces_by_name, print_changes
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import FaceclustError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.people.events import Event


@click.command("redo")
@click.argument("number", type=click.IntRange(1), default=1, metavar="[N]")
@library_option
@json_option
def command(number: int, library: Path | None, as_json: bool) -> None:
    """Give the answer that was undone last once more, or the last N.

    The answers come back in their old order. A new answer ends this: what was undone before it
    stays undone.

    \b
    Examples:
      faceclust redo
      faceclust redo 3
    """
    opened = open_library(library)
    before = count_faces_by_name(opened)
    redone: list[Event] = []
    while len(redone) < number and (event := opened.redo()):
        redone.append(event)
    if not redone:
        raise FaceclustError("there is nothing to redo", hint="faceclust journal marks undone answers with -")
    print_changes(opened, as_json, redone, before, done="redone")
    if len(redone) < number and not as_json:
        print_line(f"only {format_count(len(redone), 'answer')} left to redo, not {number:,}")
