"""`faceclust ignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.output.bulk_answers import execute_plan
from faceclust.errors import UsageError


@click.command("ignore")
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@click.option(
    "--others-on",
    multiple=True,
    metavar="PHOTO",
    help="All faces without a name on PHOTO and its copies (repeatable).",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="All faces without a name on the photos in FOLDER and below it.",
)
@click.option(
    "--seen-once",
    is_flag=True,
    help="All people without a name who are on one photo only; with --folder, those there.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show which faces would be ignored, and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however many faces it is.")
@library_option
@json_option
def command(
    what: tuple[str, ...],
    others_on: tuple[str, ...],
    folder: Path | None,
    seen_once: bool,
    dry_run: bool,
    yes: bool,
    library: Path | None,
    as_json: bool,
) -> None:
    """Stop asking about groups (by number) or faces (PHOTO#2 or ids), or about many faces at once.

    With a person's name instead of a number, all faces of that person are ignored and lose the
    name; `faceclust undo` brings it back.

    --others-on, --folder and --seen-once are about faces without a confirmed or suggested name.
    People seen once are groups whose faces are all on one photo, and faces that the last `cluster`
    left in no group. Copies of a photo count as one photo. Such a face may be a bad picture of
    somebody you named: answer the questions of `label` first. WHAT and --others-on add to what
    the other options mean; --folder and --seen-once together mean faces of both kinds.

    More than 20 faces are ignored after a question. It is one answer, which `faceclust undo` takes
    back as a whole. The exit code is 1 if there are no such faces.

    \b
    Examples:
      faceclust ignore 12 31
      faceclust ignore party.jpg#2
      faceclust ignore --others-on wedding.jpg
      faceclust ignore --folder 2019/marathon --dry-run
      faceclust ignore --seen-once
    """
    if not (what or others_on or folder or seen_once):
        raise UsageError(
            "ignore needs groups, faces or an option", hint="faceclust ignore WHAT (faceclust people --all lists them)"
        )
    opened = open_library(library)
    if not (others_on or folder or seen_once or dry_run):
        record_and_print(opened, as_json, lambda: opened.ignore(what))
        return
    plan = opened.plan_bulk_ignore(what, others_on=others_on, folder=folder, seen_once=seen_once)
    execute_plan(
        opened,
        "ignore",
        plan,
        lambda: opened.bulk_ignore(plan),
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )
