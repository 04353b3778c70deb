"""`faceclust export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import folder_option, library_option, open_library
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.export_xmp import export_xmp, refuse_xmp_options, xmp_options
from faceclust.cli.terminal.output_file import STDOUT, print_written, resolve_output_file, write_output
from faceclust.errors import UsageError
from faceclust.outputs.face_table import BINARY_FORMATS, FORMAT_BY_SUFFIX, FORMATS, write_rows
from faceclust.text.plural import format_count


@click.command("export")
@click.option(
    "--format",
    "-f",
    "file_format",
    type=click.Choice([*FORMATS, "xmp"]),
    help="Default: by the suffix of the file, else csv.",
)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, - for standard output (the default).",
)
@click.option("--embeddings", is_flag=True, help="Add each face's embedding. Not for XMP.")
@click.option("--confirmed", is_flag=True, help="Only confirmed faces; in XMP, others have no name.")
@click.option("--raw", is_flag=True, help="In CSV, write text that starts like a formula without the apostrophe.")
@folder_option
@library_option
@xmp_options
def command(
    file_format: str | None,
    out: Path | None,
    embeddings: bool,
    confirmed: bool,
    raw: bool,
    folder: Path | None,
    library: Path | None,
    **xmp: Any,
) -> None:
    """Write a table with one row a face (photo, box, group, person), or XMP sidecars for other programs.

    With --embeddings, the last column is the vector that the face models made of the face: numbers in
    Parquet, lists in JSON, and lists as text in CSV and SQLite. It is biometric data.

    In CSV an apostrophe comes before text that a spreadsheet would run as a formula, such as =1+1.
    `faceclust import` removes it.

    Sidecars pass the names on to digiKam, darktable, exiftool and others. Photos are never written.
    An existing sidecar is extended, and a copy of the original is kept beside it. In a part of a library,
    sidecars beside the photos need --folder or --library, which say where.

    Other users cannot read a new table; an existing one keeps its permissions. A new sidecar gets those
    of its photo.

    \b
    Examples:
      faceclust export > faces.csv
      faceclust export -o faces.parquet
      faceclust export -o faces.sqlite && sqlite3 faces.sqlite 'SELECT DISTINCT person FROM faces'
      faceclust export -o faces.parquet --embeddings --confirmed
      faceclust export -f jsonl | jq -r 'select(.person == "Anna") | .photo'
      faceclust export -f xmp --where sidecar --dry-run
      faceclust export -f xmp --where sidecar --folder ~/Pictures/2019
      faceclust export -f xmp --where ~/sidecars --confirmed
    """
    if file_format == "xmp":
        if embeddings and is_on_command_line("embeddings"):
            raise UsageError("--embeddings cannot be used with the format xmp", hint="sidecars hold names and boxes")
        export_xmp(library, out, confirmed=confirmed, folder=folder, **xmp)
        return
    wants_json = xmp["as_json"] and is_on_command_line("as_json")
    file_format = file_format or _format_from_suffix(out) or ("json" if wants_json else "csv")
    refuse_xmp_options(file_format, xmp)
    file = resolve_output_file(out, binary=file_format in BINARY_FORMATS)
    opened = open_library(library)
    rows = opened.export(embeddings=embeddings, confirmed=confirmed, folder=folder)
    dimension = opened.cache_info.dimension if embeddings else None
    count = write_output(file, lambda stream: write_rows(rows, file_format, stream, raw=raw, dimension=dimension))
    print_written(file, format_count(count, "face"))


def _format_from_suffix(out: Path | None) -> str | None:
    if out is None or out == STDOUT:
        return None
    suffix = out.suffix.lstrip(".").lower()
    file_format = FORMAT_BY_SUFFIX.get(suffix, suffix)
    if file_format not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise UsageError(f"{out}: unknown format {suffix!r}", hint=f"use one of the suffixes {known}, or add --format")
    return file_format
