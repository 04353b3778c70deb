"""`faceclust name`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import count, json_option, library_option, open_library, print_json


@click.command("name")
@click.argument("group", type=click.IntRange(1))
@click.argument("name")
@library_option
@json_option
def command(group: int, name: str, library: Path | None, as_json: bool) -> None:
    """Give group number GROUP the name NAME, without being asked.

    Its faces count as confirmed. A name somebody has already makes both the same person.

    \b
    Examples:
      faceclust name 3 "Anna Maria"
      faceclust people                   the names and their group numbers
    """
    opened = open_library(library)
    faces = opened.group(group)
    event = opened.name(faces, name)
    if as_json:
        print_json({"library": str(opened.root), "group": group, "name": event.name, "faces": len(faces)})
    else:
        click.echo(f"group {group} is {event.name}: {count(len(faces), 'face')} (faceclust undo takes it back)")
