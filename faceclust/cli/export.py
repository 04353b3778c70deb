"""`faceclust export`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import count, library_option, open_library
from faceclust.cli.out import STDOUT, destination, write_out
from faceclust.errors import UsageError


@click.command("export")
@click.option(
    "--format",
    "-f",
    "kind",
    type=click.Choice(["csv", "json", "parquet"]),
    help="Default: by the file's ending, else csv.",
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; - for stdout, the default."
)
@library_option
def command(kind: str | None, out: Path | None, library: Path | None) -> None:
    """Write a table with one row a face: photo, box, group, person.

    \b
    Examples:
      faceclust export > faces.csv
      faceclust export -o faces.parquet
      faceclust export --format json | jq '.[] | select(.person == "Anna") | .photo'
    """
    from faceclust.outputs.export import FORMATS, write_rows

    ending = out.suffix.lstrip(".").lower() if out else ""
    if kind is None and out and out != STDOUT and ending not in FORMATS:
        raise UsageError(
            f"{out}: no format is called {ending!r}", hint="end the name in .csv, .json or .parquet, or give --format"
        )
    kind = kind or ending or "csv"
    file = destination(out, binary=kind == "parquet")
    opened = open_library(library)
    rows = opened.export()
    write_out(file, lambda stream: write_rows(rows, kind, stream), count(len(rows), "face"))
