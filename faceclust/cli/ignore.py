"""`faceclust ignore` and `faceclust unignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.errors import UsageError


@click.command("ignore", short_help="Say that groups or faces are nobody to name.")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Say that groups (by number) or faces (by id) are nobody you want to name.

    They are not asked about again. A person's name in place of a number means all of that person's
    faces; they lose the name, and `faceclust undo` brings it back.

    \b
    Examples:
      faceclust ignore 12 31
      faceclust ignore 4f1c0a9be2d85c11
    """
    from faceclust.cli.output.answers import faces_of, record_and_print, refuse_named_groups

    opened = open_library(library)
    refuse_named_groups(opened, what, "faceclust ignore '{name}', if that is meant")
    faces = faces_of(opened, what)
    record_and_print(opened, as_json, lambda: opened.ignore(faces))


@click.command("unignore")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@library_option
@json_option
def unignore_command(what: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Ask about groups or faces again that were ignored.

    \b
    Examples:
      faceclust unignore 12
      faceclust people --all             has the ignored groups and their numbers
    """
    from faceclust.cli.output.answers import record_and_print

    opened = open_library(library)
    targets = [opened.select_faces(text) for text in what]
    ignored = {face for face, word in opened.answers.labels.items() if word.name is None}
    faces = [face for target in targets for face in (target.all_faces or target.faces) if face in ignored]
    if not faces:
        raise UsageError(f"{' and '.join(target.label for target in targets)}: nothing of it is ignored")
    record_and_print(opened, as_json, lambda: opened.unignore(dict.fromkeys(faces)))
