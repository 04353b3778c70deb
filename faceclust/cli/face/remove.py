"""`faceclust face remove`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("remove")
@click.argument("what", nargs=-1, required=True, metavar="PHOTO#N...")
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Mark faces as not being faces: they are never asked about again.

    Faces are given as PHOTO#2 or by their ids, groups of them by number. They stay away after a rescan and
    with other models. A name that they had comes back with `faceclust undo`.

    \b
    Examples:
      faceclust face remove party.jpg#3
      faceclust face remove 4f1c0a9be2d85c11 09d2e7714c6a3b58
      faceclust face remove 17
    """
    opened = open_library(library)
    record_and_print(opened, as_json, lambda: opened.remove_faces(what))
