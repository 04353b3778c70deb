"""`faceclust undo`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import count_faces_by_name, print_changes
from faceclust.errors import FaceclustError


@click.command("undo")
@click.argument("number", type=click.IntRange(1), default=1, metavar="[N]")
@library_option
@json_option
def command(number: int, library: Path | None, as_json: bool) -> None:
    """Take back the last answer, or the last N; again for the ones before.

    All that was said of people can be taken back: names, confirmations, merges and the rest, given
    by command or in `label`, save forgetting somebody. `faceclust journal` lists it.

    \b
    Examples:
      faceclust undo
      faceclust undo 3
    """
    opened = open_library(library)
    said = opened.journal.events()
    if said and said[-1].kind == "forget":
        click.echo("note: what was forgotten stays so; this takes back what was said before", err=True)
    before = count_faces_by_name(opened)
    undone = []
    for _ in range(number):
        event = opened.undo()
        if event is None:
            break
        undone.append(event)
    if not undone:
        raise FaceclustError("there is nothing to take back")
    print_changes(opened, as_json, undone, before, undone=True)
    if len(undone) < number and not as_json:
        click.echo(f"that was all: {len(undone)} of {number}")
