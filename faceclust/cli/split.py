"""`faceclust split`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import faces_of, record_and_print
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError


@click.command("split")
@click.argument("whole", shell_complete=complete_names)
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(whole: str, what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Take faces out of a group or a person.

    WHOLE is a group number or a name. WHAT are faces in it (by id), or groups of that person.
    Faces that are more similar to them than to the rest go with them. They get a group number of
    their own.

    \b
    Examples:
      faceclust split 12 4f1c0a9be2d85c11 09d2e7714c6a3b58
      faceclust split Anna 31
    """
    opened = open_library(library)
    target = opened.select_faces(whole)
    leaving = faces_of(opened, what, person=target.name)
    foreign = [text for text in what if not set(faces_of(opened, [text], person=target.name)) <= set(target.faces)]
    if foreign:
        raise UsageError(f"{foreign[0]} is not in {target.label}", hint="faceclust export lists the faces")
    staying = [face for face in target.faces if face not in leaving]
    if not staying:
        raise UsageError(
            f"nothing would be left of {target.label}",
            hint="faceclust reject takes faces off a person; faceclust ignore stops asking about a group",
        )
    if target.name is not None:
        name = target.name
        record_and_print(opened, as_json, lambda: opened.reject(leaving, name))
    else:
        record_and_print(opened, as_json, lambda: opened.split(leaving, staying))
    groups = {opened.group_of[face] for face in leaving if face in opened.group_of}
    if groups and not as_json:
        print_line(f"  they are now in group {' and '.join(map(str, sorted(groups)))}")
