"""`faceclust confirm`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library
from faceclust.cli.output.answers import faces_of, record_and_print
from faceclust.errors import UsageError


@click.command("confirm")
@click.argument("who", shell_complete=complete_names)
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@library_option
@json_option
def command(who: str, what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Say that faces which came along with a group are indeed that person.

    WHO is a name, or a group of a named person. WHAT are face ids or group numbers; without them
    all suggested faces of WHO are confirmed.

    \b
    Examples:
      faceclust confirm Anna
      faceclust confirm Anna 31 4f1c0a9be2d85c11
      faceclust confirm 12
    """
    opened = open_library(library)
    target = opened.select_faces(who)
    named = [opened.person_of[face] for face in target.all_faces or target.faces if face in opened.person_of]
    if len({person.id for person in named}) > 1:
        raise UsageError(f"{target.label} is several people's", hint="name the one: faceclust confirm NAME FACE...")
    if not named:
        raise UsageError(f"{target.label} has no name yet", hint=f'faceclust name {who} "NAME" gives one and confirms')
    person = named[0]
    theirs = set(person.face_ids).intersection(target.all_faces or target.faces) - person.confirmed
    faces = faces_of(opened, what) if what else sorted(theirs)
    if not faces:
        raise UsageError(f"all faces of {target.label} are confirmed already")
    record_and_print(opened, as_json, lambda: opened.confirm(faces, person.label))
