"""`faceclust name`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import faces_of, record_and_print, refuse_named_groups
from faceclust.errors import UsageError


@click.command("name")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.argument("name", shell_complete=complete_names)
@library_option
@json_option
def command(what: tuple[str, ...], name: str, library: Path | None, as_json: bool) -> None:
    """Give groups (by number) or faces (by id) the name NAME, without being asked.

    All their faces count as confirmed. A name somebody has already makes them the same person.
    Of a group that is partly a named person's, the faces without a name are meant.

    \b
    Examples:
      faceclust name 3 "Anna Maria"
      faceclust name 3 17 4f1c0a9be2d85c11 Anna
      faceclust people --all             the names and group numbers
    """
    opened = open_library(library)
    for target in map(opened.select_faces, what):
        if target.is_person:
            hint = f"faceclust rename gives another name, faceclust merge makes {target.label} and {name} one"
            raise UsageError(f"{target.label} is a person's name already", hint=hint)
    refuse_named_groups(opened, what, f"faceclust rename {{name}} …, or faceclust split {{name}} {what[0]} before")
    faces = faces_of(opened, what)
    record_and_print(opened, as_json, lambda: opened.name(faces, name))
