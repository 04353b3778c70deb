"""`faceclust name`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("name")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.argument("name", shell_complete=complete_names)
@library_option
@json_option
def command(what: tuple[str, ...], name: str, library: Path | None, as_json: bool) -> None:
    """Give groups (by number) or faces (by id) the name NAME.

    All their faces count as confirmed. With a name that is already in use, they become part of
    that person. Of a group that is partly a named person's, only the unnamed faces are meant.

    \b
    Examples:
      faceclust name 3 "Anna Maria"
      faceclust name 3 17 4f1c0a9be2d85c11 Anna
      faceclust people --all             lists the names and group numbers
    """
    opened = open_library(library)
    record_and_print(opened, as_json, lambda: opened.name(what, name))
