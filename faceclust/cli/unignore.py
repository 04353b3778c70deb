"""`faceclust unignore`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.output.bulk_answers import execute_plan
from faceclust.errors import UsageError


@click.command("unignore")
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="All ignored faces on the photos in FOLDER and below it, too.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show which faces would be asked about, and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however many faces it is.")
@library_option
@json_option
def command(
    what: tuple[str, ...], folder: Path | None, dry_run: bool, yes: bool, library: Path | None, as_json: bool
) -> None:
    """Ask about ignored groups or faces (PHOTO#2 or ids) again.

    With --folder, more than 20 faces are asked about again after a question. The exit code is 1 if
    no face there is ignored.

    \b
    Examples:
      faceclust unignore 12
      faceclust unignore --folder 2019/marathon
      faceclust people --all             lists the ignored groups with their numbers
    """
    if not (what or folder):
        raise UsageError(
            "unignore needs groups, faces or --folder",
            hint="faceclust unignore WHAT (faceclust people --all lists ignored groups)",
        )
    opened = open_library(library)
    if folder is None and not dry_run:
        record_and_print(opened, as_json, lambda: opened.unignore(what))
        return
    plan = opened.plan_bulk_unignore(what, folder=folder)
    execute_plan(
        opened,
        "unignore",
        plan,
        lambda: opened.bulk_unignore(plan),
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )
