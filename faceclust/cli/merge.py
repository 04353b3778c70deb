"""`faceclust merge`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.doubts import AskedDoubts, yes_option
from faceclust.cli.output.answers import record_and_print


@click.command("merge")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...", shell_complete=complete_names)
@yes_option
@library_option
@json_option
def command(what: tuple[str, ...], yes: bool, library: Path | None, as_json: bool) -> None:
    """Make people, groups or faces one person.

    WHAT are names, group numbers and faces: PHOTO#2, or ids. With two names, the first person becomes part of the
    second. With one name, everything else gets that name. Without a name, the groups become one
    person who is still unnamed. You are asked first if they are together on a photo.

    \b
    Examples:
      faceclust merge "Anna M." Anna
      faceclust merge 12 31 Anna
      faceclust merge 12 31
    """
    opened = open_library(library)
    opened.doubts = AskedDoubts.on_terminal(as_json=as_json, yes=yes)
    record_and_print(opened, as_json, lambda: opened.merge(*what))
