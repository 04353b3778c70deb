"""`faceclust undo`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import count_faces_by_name, print_changes
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import FaceclustError
from faceclust.text.plural import format_count


@click.command("undo")
@click.argument("number", type=click.IntRange(1), default=1, metavar="[N]")
@library_option
@json_option
def command(number: int, library: Path | None, as_json: bool) -> None:
    """Undo the last answer, or the last N.

    Every answer can be undone: names, confirmations, merges and all others, whether given by a
    command or in `label`. The exception is `forget`. `faceclust journal` lists the answers.

    \b
    Examples:
      faceclust undo
      faceclust undo 3
    """
    opened = open_library(library)
    events = opened.journal.events()
    if events and events[-1].kind == "forget":
        print_line("note: `forget` cannot be undone; undoing the answer before it", err=True)
    before = count_faces_by_name(opened)
    undone = []
    for _ in range(number):
        event = opened.undo()
        if event is None:
            break
        undone.append(event)
    if not undone:
        raise FaceclustError("there is nothing to undo", hint="faceclust journal lists the answers")
    print_changes(opened, as_json, undone, before, undone=True)
    if len(undone) < number and not as_json:
        print_line(f"only {format_count(len(undone), 'answer')} left to undo, not {number:,}")
