"""`faceclust rename`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.doubts import AskedDoubts, new_option
from faceclust.cli.output.answers import record_and_print


@click.command("rename")
@click.argument("name", shell_complete=complete_names)
@click.argument("new_name")
@new_option
@library_option
@json_option
def command(name: str, new_name: str, is_new: bool, library: Path | None, as_json: bool) -> None:
    """Change a person's name from NAME to NEW_NAME.

    To make two people one, use `faceclust merge`. You are asked first if NEW_NAME is nearly the name
    of somebody else.

    \b
    Examples:
      faceclust rename Ana Anna
      faceclust rename "Anna Maria" "Anna Maria Schmidt"
    """
    opened = open_library(library)
    opened.doubts = AskedDoubts.on_terminal(as_json=as_json, is_new=is_new)
    record_and_print(opened, as_json, lambda: opened.rename(name, new_name))
