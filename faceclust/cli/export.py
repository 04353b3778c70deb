"""`faceclust export`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import count, library_option, open_library
from faceclust.cli.out import STDOUT, destination, write_out
from faceclust.errors import UsageError

_FORMATS = ["csv", "json", "jsonl", "parquet", "sqlite"]


@click.command("export", short_help="Write a table with one row a face.")
@click.option("--format", "-f", "kind", type=click.Choice(_FORMATS), help="Default: by the file's ending, else csv.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; - for stdout, the default.",
)
@library_option
def command(kind: str | None, out: Path | None, library: Path | None) -> None:
    """Write a table with one row a face: photo, box, group, person.

    \b
    Examples:
      faceclust export > faces.csv
      faceclust export -o faces.parquet
      faceclust export -o faces.sqlite && sqlite3 faces.sqlite 'SELECT DISTINCT person FROM faces'
      faceclust export -f jsonl | jq -r 'select(.person == "Anna") | .photo'
    """
    from faceclust.outputs.tables import BINARY, write_rows

    kind = kind or _by_ending(out)
    file = destination(out, binary=kind in BINARY)
    rows = open_library(library).export()
    write_out(file, lambda stream: write_rows(rows, kind, stream), count(len(rows), "face"))


def _by_ending(out: Path | None) -> str:
    from faceclust.outputs.tables import ENDINGS, FORMATS

    if out is None or out == STDOUT:
        return "csv"
    ending = out.suffix.lstrip(".").lower()
    kind = ENDINGS.get(ending, ending)
    if kind not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise UsageError(
            f"{out}: no format is called {ending!r}", hint=f"end the name in one of {known}, or give --format"
        )
    return kind
