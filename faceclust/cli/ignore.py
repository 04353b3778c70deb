"""`faceclust ignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("ignore")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Stop asking about groups (by number) or faces (PHOTO#2 or ids).

    With a person's name instead of a number, all faces of that person are ignored and lose the
    name; `faceclust undo` brings it back.

    \b
    Examples:
      faceclust ignore 12 31
      faceclust ignore party.jpg#2
    """
    opened = open_library(library)
    record_and_print(opened, as_json, lambda: opened.ignore(what))
