"""`faceclust name`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.doubts import AskedDoubts, new_option, yes_option
from faceclust.cli.output.answers import record_and_print


@click.command("name")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.argument("name", shell_complete=complete_names)
@new_option
@yes_option
@library_option
@json_option
def command(what: tuple[str, ...], name: str, is_new: bool, yes: bool, library: Path | None, as_json: bool) -> None:
    """Give groups (by number) or faces the name NAME.

    A face is given as PHOTO#2, the second from the left on that photo, or by its id. All faces
    count as confirmed. With a name that is already in use, they become part of that person. Of a
    group that is partly a named person's, only the unnamed faces are meant.

    You are asked first if NAME is new but nearly the name of somebody else, and if a person would be
    twice on one photo. Without a terminal, --new and --yes are the answers.

    \b
    Examples:
      faceclust name 3 "Anna Maria"
      faceclust name 3 17 party.jpg#2 Anna
      faceclust people --all             lists the names and group numbers
    """
    opened = open_library(library)
    opened.doubts = AskedDoubts.on_terminal(as_json=as_json, is_new=is_new, yes=yes)
    record_and_print(opened, as_json, lambda: opened.name(what, name))
