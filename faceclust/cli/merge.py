"""`faceclust merge`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import faces_of, record_and_print
from faceclust.errors import UsageError


@click.command("merge")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...", shell_complete=complete_names)
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Make people, groups or faces one person.

    WHAT are names, group numbers and face ids. With two names the first person goes into the
    second and takes that name; with one name all the rest are that person; groups without a name
    are one from now on, still without one.

    \b
    Examples:
      faceclust merge "Anna M." Anna
      faceclust merge 12 31 Anna
      faceclust merge 12 31
    """
    opened = open_library(library)
    targets = [opened.select_faces(text) for text in what]
    if len(targets) > 1 and len({target.name for target in targets}) == 1 and targets[0].name is not None:
        raise UsageError(f"all of these are {targets[0].name} already")
    if len({target.faces for target in targets}) < 2:
        raise UsageError("merge takes two or more", hint="such as: faceclust merge 12 Anna")
    names = list(dict.fromkeys(target.name for target in targets if target.name is not None))
    rest = [text for text, target in zip(what, targets, strict=True) if target.name is None]
    others = [target for target in targets if target.name is not None and not target.is_person]
    if others and len(names) > 1:
        raise UsageError(
            f"{others[0].label} is {others[0].name}'s", hint="to make the two people one, type their names"
        )
    if len(names) > 2 or (len(names) == 2 and rest):
        raise UsageError(f"{', '.join(names)} are {len(names)} people", hint="merge two of them at a time")
    if len(names) == 2:
        record_and_print(opened, as_json, lambda: opened.merge(*names))
    elif names and rest:
        record_and_print(opened, as_json, lambda: opened.name(faces_of(opened, rest), names[0]))
    else:
        record_and_print(opened, as_json, lambda: opened.link(faces_of(opened, rest)))
