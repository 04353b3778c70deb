"""`faceclust together`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json


@click.command("together")
@click.argument("who", metavar="[NAME]...", nargs=-1, shell_complete=complete_names)
@click.option("--min", "min_photos", metavar="N", type=click.IntRange(1), default=1, help="On N photos or more.")
@click.option("--confirmed", is_flag=True, help="Count faces you confirmed only, no suggested ones.")
@library_option
@json_option
def command(who: tuple[str, ...], min_photos: int, confirmed: bool, library: Path | None, as_json: bool) -> None:
    """List who is photographed with whom, how often.

    With a NAME, only who is photographed with them. A photo kept twice counts once. On
    confirmed photos both are confirmed; on suggested ones, one of them or both are not.

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
        click.echo("no two people are together on so many photos" if min_photos > 1 else "no two people are together")
    else:
        click.echo(click.style("photos  confirmed  suggested  people", bold=True))
        for row in rows:
            names = " and ".join(row["people"])
            click.echo(f"{row['photos']:6}  {row['confirmed']:9}  {row['suggested']:9}  {names}")
