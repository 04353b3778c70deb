"""`faceclust export`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from faceclust.cli.common import count, library_option, open_library, require_folder
from faceclust.errors import FaceclustError, UsageError


@click.command("export")
@click.option(
    "--format",
    "-f",
    "kind",
    type=click.Choice(["csv", "json", "parquet"]),
    help="Default: by the file's ending, else csv.",
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The file to write. Default: stdout."
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
    if kind is None and out and ending not in FORMATS:
        raise UsageError(
            f"{out}: no format is called {ending!r}", hint="end the name in .csv, .json or .parquet, or give --format"
        )
    kind = kind or ending or "csv"
    out = require_folder(out) if out else None
    if kind == "parquet" and out is None and sys.stdout.isatty():
        raise UsageError("parquet is not for a terminal to show", hint="name a file: -o faces.parquet")
    opened = open_library(library)
    rows = opened.export()
    content = io.BytesIO()
    write_rows(rows, kind, content)
    if out is None:
        sys.stdout.buffer.write(content.getvalue())
        return
    try:
        out.write_bytes(content.getvalue())
    except OSError as error:
        raise FaceclustError(
            f"{out} cannot be written: {error.strerror}", hint="choose another place with -o"
        ) from error
    click.echo(f"wrote {out}: {count(len(rows), 'face')}", err=True)
