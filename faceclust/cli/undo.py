"""`faceclust undo`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.errors import FaceclustError


@click.command("undo")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """Take back the last name or answer; again for the one before it.

    \b
    Example:
      faceclust undo
    """
    from faceclust.people.describe import describe

    opened = open_library(library)
    event = opened.undo()
    if event is None:
        raise FaceclustError("there is nothing to take back")
    if as_json:
        print_json({"library": str(opened.root), "undone": event.kind, "name": event.name, "faces": len(event.faces)})
    else:
        click.echo(f"taken back: {describe(event)}")
