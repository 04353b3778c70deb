"""`faceclust rename`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("rename")
@click.argument("name", shell_complete=complete_names)
@click.argument("new_name")
@library_option
@json_option
def command(name: str, new_name: str, library: Path | None, as_json: bool) -> None:
    """Call the person NAME by the name NEW_NAME.

    To make two people one, use `faceclust merge`.

    \b
    Examples:
      faceclust rename Ana Anna
      faceclust rename "Anna Maria" "Anna Maria Schmidt"
    """
    opened = open_library(library)
    record_and_print(opened, as_json, lambda: opened.rename(name, new_name))
