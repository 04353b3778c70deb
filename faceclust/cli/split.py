"""`faceclust split`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.terminal.printing import print_line


@click.command("split")
@click.argument("whole", shell_complete=complete_names)
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(whole: str, what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Take faces out of a group or a person.

    WHOLE is a group number or a name. WHAT are faces in it (PHOTO#2 or ids), or groups of that person.
    Faces that are more similar to them than to the rest go with them. They get a group number of
    their own.

    \b
    Examples:
      faceclust split 12 party.jpg#2 09d2e7714c6a3b58
      faceclust split Anna 31
    """
    opened = open_library(library)
    event = record_and_print(opened, as_json, lambda: opened.split(what, whole))
    groups = {opened.group_of[face.face_id] for face in event.faces if face.face_id in opened.group_of}
    if groups and not as_json:
        print_line(f"  they are now in group {' and '.join(map(str, sorted(groups)))}")
