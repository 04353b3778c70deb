"""`faceclust confirm`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.doubts import AskedDoubts, yes_option
from faceclust.cli.output.answers import record_and_print
from faceclust.library.selection import find_owner


@click.command("confirm")
@click.argument("who", shell_complete=complete_names)
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@yes_option
@library_option
@json_option
def command(who: str, what: tuple[str, ...], yes: bool, library: Path | None, as_json: bool) -> None:
    """Confirm suggested faces of a person.

    WHO is a name, or the number of a named person's group. WHAT are faces (PHOTO#2 or ids) or group
    numbers; without them, all suggested faces of WHO are confirmed.

    \b
    Examples:
      faceclust confirm Anna
      faceclust confirm Anna 31 party.jpg#2
      faceclust confirm 12
    """
    opened = open_library(library)
    opened.doubts = AskedDoubts.on_terminal(as_json=as_json, yes=yes)
    if what:
        person = find_owner(opened, who)
        record_and_print(opened, as_json, lambda: opened.confirm(what, person.label))
    else:
        record_and_print(opened, as_json, lambda: opened.confirm(who))
