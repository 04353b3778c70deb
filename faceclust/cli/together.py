"""`faceclust together`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.table import print_table
from faceclust.text.plural import format_count


@click.command("together")
@click.argument("who", metavar="[NAME]...", nargs=-1, shell_complete=complete_names)
@click.option(
    "--min", "min_photos", metavar="N", type=click.IntRange(1), default=1, help="Only pairs on N or more photos."
)
@click.option("--confirmed", is_flag=True, help="Count confirmed faces only.")
@library_option
@json_option
def command(who: tuple[str, ...], min_photos: int, confirmed: bool, library: Path | None, as_json: bool) -> None:
    """Count the photos that two people share.

    With a NAME, list the pairs with that person only; a group such as Family stands for its people.
    Copies of a photo count once. "confirmed" counts the photos on which both people are confirmed,
    "suggested" the others.

    \b
    Examples:
      faceclust together
      faceclust together Anna --min 5
      faceclust together --confirmed --json
    """
    opened = open_library(library)
    pairs = opened.co_occurrences(*who, confirmed=confirmed, min_photos=min_photos)
    rows: list[dict[str, Any]] = [
        {"people": list(pair.names), "photos": pair.photos, "confirmed": pair.confirmed, "suggested": pair.suggested}
        for pair in pairs
    ]
    if as_json:
        print_json({"library": str(opened.root), "pairs": rows})
    elif not rows:
        print_line(f"no two people share {format_count(min_photos, 'photo')}")
    else:
        columns = ("photos", "confirmed", "suggested")
        cells = [[*(str(row[column]) for column in columns), " and ".join(row["people"])] for row in rows]
        print_table([*columns, "people"], cells, left=[len(columns)])
