"""`faceclust albums`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import (
    complete_names,
    face_filter_options,
    json_option,
    library_option,
    open_library,
    print_json,
)
from faceclust.cli.output.albums import album_plan_record, print_album_plan
from faceclust.library.destinations import refuse_link_in_library
from faceclust.outputs.albums import DEFAULT_LAYOUT, LINK_KINDS, split_names


@click.command("albums")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--layout", metavar="PATTERN", default=DEFAULT_LAYOUT, show_default=True, help="Path of a photo below OUT."
)
@click.option(
    "--link",
    "kind",
    type=click.Choice(LINK_KINDS),
    default="symlink",
    show_default=True,
    help="Kind of link to a photo; a reflink is a copy that shares disk space with the photo.",
)
@click.option("--absolute", is_flag=True, help="Use absolute symlinks, so that OUT can be moved without the library.")
@click.option(
    "--person",
    "people",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="Make an album of NAME (a person or a group number) only (repeatable).",
)
@click.option(
    "--together",
    metavar="NAME,NAME",
    multiple=True,
    help="""Make an album of the photos that show all of these people only (repeatable). Put double quotes
    around a name with a comma: --together '"Doe, Jane",Ben'.""",
)
@click.option("--groups", is_flag=True, help="Also make an album of each group of people, such as Family.")
@click.option("--unnamed", is_flag=True, help="Also make a folder for each unnamed group.")
@face_filter_options
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and write nothing.")
@library_option
@json_option
def command(
    out: Path, together: tuple[str, ...], dry_run: bool, library: Path | None, as_json: bool, **options: Any
) -> None:
    """Make a folder for each person below OUT, with links to their photos.

    PATTERN consists of folders separated by "/", with fields in braces: {person}, {name} (of the
    file), {stem}, {ext}, {folder} (in the library), {camera}, {year}, {month}, {day} and {date}, which
    takes a format, as in {date:%Y-%m-%d}. Photos without a date go to "undated".

    Run it again after naming more people, or with other options, to update OUT. Only files that
    faceclust made there, and that are unchanged since, are ever removed or replaced.

    Other users cannot enter a new OUT; an existing folder keeps its permissions.

    \b
    Examples:
      faceclust albums ~/People
      faceclust albums ~/People --layout '{person}/{date:%Y}/{date:%Y-%m-%d} {name}' --dry-run
      faceclust albums ~/People --groups
      faceclust albums /media/usb/Us --together Anna,Ben --link copy
    """
    groups = [split_names(names) for names in together]
    refuse_link_in_library(out)
    opened = open_library(library)
    plan = opened.plan_albums(out, together=groups, **options)
    skipped = () if dry_run else opened.make_albums(plan)
    if as_json:
        print_json(album_plan_record(plan, skipped, dry_run))
    else:
        print_album_plan(plan, skipped, dry_run)
