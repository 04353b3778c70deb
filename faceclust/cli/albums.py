"""`faceclust albums`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json
from faceclust.cli.output.albums import album_plan_record, print_album_plan
from faceclust.outputs.albums import split_names

_DEFAULT_LAYOUT = "{person}/{name}"  # outputs.albums.DEFAULT_LAYOUT, whose import would take time
_LINK_KINDS = ("symlink", "hardlink", "copy", "reflink")


@click.command("albums")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--layout", metavar="PATTERN", default=_DEFAULT_LAYOUT, show_default=True, help="Where a photo goes below OUT."
)
@click.option(
    "--link",
    "kind",
    type=click.Choice(_LINK_KINDS),
    default="symlink",
    show_default=True,
    help="What stands in an album for a photo; reflink: a copy that shares the photo's place on the disk.",
)
@click.option("--absolute", is_flag=True, help="Symbolic links hold full paths: OUT can move without the library.")
@click.option(
    "--person",
    "people",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="An album of NAME, a person or a group's number; of nobody else. Again for more.",
)
@click.option(
    "--together",
    metavar="NAME,NAME",
    multiple=True,
    help="""An album of the photos with all of them; of nobody else. Again for more. A name with a comma in it
    goes in double quotes: --together '"Doe, Jane",Ben'.""",
)
@click.option("--unnamed", is_flag=True, help="Also a folder for each group without a name.")
@click.option("--min-quality", metavar="Q", type=float, default=0.0, help="By faces of this quality, 0 to 1.")
@click.option("--confirmed", is_flag=True, help="By faces you confirmed; suggested ones do not count.")
@click.option("--since", metavar="DATE", help="Taken on DATE or later: 2019, 2019-05 or 2019-05-17.")
@click.option("--until", metavar="DATE", help="Taken on DATE or before: 2021 has all of 2021 in it.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, do nothing.")
@library_option
@json_option
def command(
    out: Path, together: tuple[str, ...], dry_run: bool, library: Path | None, as_json: bool, **options: Any
) -> None:
    """Make a folder for each person below OUT, with links to their photos.

    PATTERN has folders with "/" between them and fields in braces: {person}, {name} (of the file),
    {stem}, {ext}, {folder} (in the library), {camera}, {year}, {month}, {day}, {date}, which takes
    a form, as in {date:%Y-%m-%d}. Photos without a date go to "undated".

    Run it again after naming more people, or with other options: OUT is brought up to date. Only
    what faceclust made there, and nobody has changed since, is ever removed or replaced.

    \b
    Examples:
      faceclust albums ~/People
      faceclust albums ~/People --layout '{person}/{date:%Y}/{date:%Y-%m-%d} {name}' --dry-run
      faceclust albums /media/usb/Us --together Anna,Ben --link copy
    """
    groups = [split_names(names) for names in together]
    opened = open_library(library)
    plan = opened.plan_albums(out, together=groups, **options)
    also_left = () if dry_run else opened.make_albums(plan)
    if as_json:
        print_json(album_plan_record(plan, also_left, dry_run))
    else:
        print_album_plan(plan, also_left, dry_run)
