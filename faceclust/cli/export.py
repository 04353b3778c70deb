"""`faceclust export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import library_option, open_library
from faceclust.cli.config_files import is_typed
from faceclust.cli.export_xmp import export_xmp, refuse_xmp_options, xmp_options
from faceclust.cli.terminal.output_file import STDOUT, destination, write_out
from faceclust.cli.terminal.text import count
from faceclust.errors import UsageError

_FORMATS = ["csv", "json", "jsonl", "parquet", "sqlite", "xmp"]


@click.command("export", short_help="Write a table with one row a face, or XMP sidecars.")
@click.option("--format", "-f", "kind", type=click.Choice(_FORMATS), help="Default: by the file's ending, else csv.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; - for stdout, the default.",
)
@library_option
@xmp_options
def command(kind: str | None, out: Path | None, library: Path | None, **xmp: Any) -> None:
    """Write a table with one row a face: photo, box, group, person; or XMP sidecars for other programs.

    Sidecars name the faces to digiKam, darktable, exiftool and others. No photo is written; a
    sidecar that is there is added to, and a copy of it kept beside it.

    \b
    Examples:
      faceclust export > faces.csv
      faceclust export -o faces.parquet
      faceclust export -o faces.sqlite && sqlite3 faces.sqlite 'SELECT DISTINCT person FROM faces'
      faceclust export -f jsonl | jq -r 'select(.person == "Anna") | .photo'
      faceclust export -f xmp --where sidecar --dry-run
      faceclust export -f xmp --where ~/sidecars --confirmed
    """
    from faceclust.outputs.face_table import BINARY, write_rows

    if kind == "xmp":
        export_xmp(library, out, **xmp)
        return
    kind = kind or _by_ending(out) or ("json" if xmp["as_json"] and is_typed("as_json") else "csv")
    refuse_xmp_options(kind, xmp)
    file = destination(out, binary=kind in BINARY)
    rows = open_library(library).export()
    write_out(file, lambda stream: write_rows(rows, kind, stream), count(len(rows), "face"))


def _by_ending(out: Path | None) -> str | None:
    from faceclust.outputs.face_table import ENDINGS, FORMATS

    if out is None or out == STDOUT:
        return None
    ending = out.suffix.lstrip(".").lower()
    kind = ENDINGS.get(ending, ending)
    if kind not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise UsageError(
            f"{out}: no format is called {ending!r}", hint=f"end the name in one of {known}, or give --format"
        )
    return kind
