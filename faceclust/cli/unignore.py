"""`faceclust unignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("unignore")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Ask about ignored groups or faces (PHOTO#2 or ids) again.

    \b
    Examples:
      faceclust unignore 12
      faceclust people --all             lists the ignored groups with their numbers
    """
    opened = open_library(library)
    record_and_print(opened, as_json, lambda: opened.unignore(what))
