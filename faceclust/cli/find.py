"""`faceclust find`."""

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
from faceclust.cli.output.photos import photo_records, print_away, print_paths
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.text.plural import format_count


@click.command("find")
@click.argument("who", metavar="[NAME]...", nargs=-1, shell_complete=complete_names)
@click.option(
    "--with",
    "with_names",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="Only photos with NAME on them too (repeatable).",
)
@click.option(
    "--or",
    "any_of",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="Also photos that show NAME instead (repeatable).",
)
@click.option(
    "--without",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_names,
    help="Only photos without NAME, confirmed or suggested (repeatable).",
)
@click.option("--alone", is_flag=True, help="Only photos without any other face.")
@click.option("--age", metavar="YEARS", help="Only photos on which NAME is of this age: 4, 3-5, -12 or 13-.")
@face_filter_options
@click.option("--null", "-0", "null", is_flag=True, help="End each path with NUL, for xargs -0.")
@library_option
@json_option
def command(
    who: tuple[str, ...], with_names: tuple[str, ...], null: bool, as_json: bool, library: Path | None, **filters: Any
) -> None:
    """List the photos that show everybody named NAME, one path a line.

    NAME is a name, a group number, or a group of people such as Family, which stands for any of
    them. Without a NAME, search all photos with faces. Paths are relative if you are in or above
    the library. Photos are sorted by date, photos without a date come last; --since, --until and
    --age leave them out and print their number.

    With --or, photos show all NAMEs, or one of the others. --with and --without hold for all photos.
    --age is that of NAME or --or, not of --with; without these, of anybody whose birth date is known
    (see `faceclust person`).

    The exit code is 0 if photos were found, 1 if none was, and 2 for a mistake.

    \b
    Examples:
      faceclust find Anna --with Ben --without Carl --since 2019 --until 2021-06
      faceclust find Anna --alone --min-quality 0.8 -0 | xargs -0 cp -t ~/frame
      faceclust find Anna --or Ben --with Carl
      faceclust find Anna --age 3-5
      faceclust find --without Anna --folder 2019 --json
    """
    if not (who or with_names or any(filters.values())):
        raise UsageError(
            "find needs a name or an option", hint="faceclust find NAME (faceclust people lists the names)"
        )
    if null and as_json:
        raise UsageError("--json and -0 cannot be combined", hint="leave one of them out")
    opened = open_library(library)
    filters["along_with"] = with_names
    found = opened.search(*who, **filters)
    needs_date = any(filters[name] is not None for name in ("since", "until", "age"))
    undated = len(opened.search(*who, **filters, undated=True)) if needs_date else 0
    if as_json:
        records = photo_records(found, opened.roots, opened.group_of)
        print_json({"library": str(opened.root), "photos": records, "undated": undated})
    else:
        print_paths([photo.photo for photo in found], opened.root, null)
    print_away([photo.photo for photo in found], opened.roots)
    if undated:
        print_line(f"{format_count(undated, 'more photo')} would match, but without a known date", err=True)
    if not found:
        print_line("no photos match", err=True)
        click.get_current_context().exit(1)
