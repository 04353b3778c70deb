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
    """Confirm suggested faces of a person.

    WHO is a name, or the number of a named person's group. WHAT are face ids or group numbers;
    without them, all suggested faces of WHO are confirmed.

    \b
    Examples:
      faceclust confirm Anna
      faceclust confirm Anna 31 4f1c0a9be2d85c11
      faceclust confirm 12
    """
    opened = open_library(library)
    target = opened.select_faces(who)
    people = [opened.person_of[face] for face in target.all_faces or target.faces if face in opened.person_of]
    if len({person.id for person in people}) > 1:
        raise UsageError(
            f"{target.label} belongs to several people", hint="choose one of them: faceclust confirm NAME FACE..."
        )
    if not people:
        raise UsageError(f"{target.label} has no name yet", hint=f'faceclust name {who} "NAME" names and confirms it')
    person = people[0]
    suggested = set(person.face_ids).intersection(target.all_faces or target.faces) - person.confirmed
    faces = faces_of(opened, what) if what else sorted(suggested)
    if not faces:
        raise UsageError(f"all faces of {target.label} are already confirmed", hint="faceclust people shows the counts")
    record_and_print(opened, as_json, lambda: opened.confirm(faces, person.label))
