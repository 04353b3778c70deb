"""`faceclust unignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print
from faceclust.errors import UsageError


@click.command("unignore")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Ask about ignored groups or faces again.

    \b
    Examples:
      faceclust unignore 12
      faceclust people --all             lists the ignored groups with their numbers
    """
    opened = open_library(library)
    targets = [opened.select_faces(text) for text in what]
    ignored = {face for face, label in opened.answers.labels.items() if label.name is None}
    faces = [face for target in targets for face in (target.all_faces or target.faces) if face in ignored]
    if not faces:
        names = " and ".join(target.label for target in targets)
        raise UsageError(f"{names}: none of the faces is ignored", hint="faceclust people --all lists ignored groups")
    record_and_print(opened, as_json, lambda: opened.unignore(dict.fromkeys(faces)))
