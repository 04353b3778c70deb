"""`faceclust find`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json
from faceclust.cli.output.photos import photo_records, print_paths
from faceclust.errors import UsageError


@click.command("find")
@click.argument("who", metavar="[NAME]...", nargs=-1, shell_complete=complete_names)
@click.option(
    "--with",
    "with_names",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="With NAME on the photo too; again for more.",
)
@click.option(
    "--without",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="Without NAME, even suggested; again for more.",
)
@click.option("--alone", is_flag=True, help="With no other face on the photo.")
@click.option("--since", metavar="DATE", help="Taken on DATE or later: 2019, 2019-05 or 2019-05-17.")
@click.option("--until", metavar="DATE", help="Taken on DATE or before: 2021 has all of 2021 in it.")
@click.option("--folder", metavar="FOLDER", type=click.Path(path_type=Path), help="In FOLDER or below it.")
@click.option("--min-quality", metavar="Q", type=float, help="With a face of this quality, 0 to 1.")
@click.option("--confirmed", is_flag=True, help="With a face you confirmed; suggested ones do not count.")
@click.option("--null", "-0", "null", is_flag=True, help="End each path with NUL, for xargs -0.")
@library_option
@json_option
def command(
    who: tuple[str, ...], with_names: tuple[str, ...], null: bool, as_json: bool, library: Path | None, **filters: Any
) -> None:
    """Print the photos with everybody named NAME on them, one path a line.

    Without a NAME, photos with any face are looked through. NAME may be a group's number. Paths
    are relative where you are in or above the library. The order is that of the dates taken,
    photos without one last; "| sort" gives that of the paths. The exit code is 0 where photos
    were found, 1 where none was, 2 for a mistake.

    \b
    Examples:
      faceclust find Anna --with Ben --without Carl --since 2019 --until 2021-06
      faceclust find Anna --alone --min-quality 0.8 -0 | xargs -0 cp -t ~/frame
      faceclust find --without Anna --folder 2019 --json
    """
    if not (
        who or with_names or any(value is not None and value is not False and value != () for value in filters.values())
    ):
        raise UsageError("find whom?", hint="faceclust find NAME; faceclust people lists the names")
    if null and as_json:
        raise UsageError("--json and -0 do not go together")
    filters["min_quality"] = filters["min_quality"] or 0.0
    opened = open_library(library)
    found = opened.search(*who, *with_names, **filters)
    if as_json:
        print_json({"library": str(opened.root), "photos": photo_records(found, opened.root, opened.group_of)})
    else:
        print_paths([photo.photo for photo in found], opened.root, null)
    if not found:
        click.echo("no photo is like that", err=True)
        click.get_current_context().exit(1)
