"""`faceclust reject`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print


@click.command("reject")
@click.argument("name", shell_complete=complete_names)
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(name: str, what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Mark faces as not being NAME: they are never put with that person again.

    WHAT are faces (PHOTO#2 or ids) or group numbers. Of a group that is partly NAME's, only NAME's faces are
    meant. A later `name` or `confirm` overrides it.

    \b
    Examples:
      faceclust reject Anna party.jpg#2
      faceclust reject Anna 4f1c0a9be2d85c11
      faceclust reject Anna 31
    """
    opened = open_library(library)
    person = opened.find_person(name)
    record_and_print(opened, as_json, lambda: opened.reject(what, person.label))
