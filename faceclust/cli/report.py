"""`faceclust report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json, remind_to_cluster
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.output_file import STDOUT, resolve_output_file, write_output
from faceclust.cli.terminal.text import format_count
from faceclust.errors import UsageError

_DEFAULT_NAME = "faceclust-report"


@click.command("report")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    help=f"The file to write, - for stdout; with --split a folder. [default: {_DEFAULT_NAME}.html or {_DEFAULT_NAME}]",
)
@click.option("--split", is_flag=True, help="A folder: a page for each person, and pictures as files.")
@click.option("--faces", type=click.IntRange(1), help="Pictures of each person. [default: 48; with --split 200]")
@click.option("--groups", type=click.IntRange(0), help="Unnamed groups at most. [default: 300; with --split all]")
@library_option
@json_option
def command(
    out: Path | None, split: bool, faces: int | None, groups: int | None, library: Path | None, as_json: bool
) -> None:
    """Write an HTML page with everyone on it.

    The page holds the pictures itself, at most 3,000, and opens without a network; links lead to
    the photos. For more faces make a folder by --split: open index.html in it. Made again, the
    folder is brought up to date; files in it that are not the report's are never touched.

    \b
    Examples:
      faceclust report
      faceclust report -o ~/people.html --faces 96
      faceclust report --split -o ~/people
    """
    if as_json and out == STDOUT and is_on_command_line("as_json"):
        raise UsageError("--json and the page cannot both go to stdout", hint="name a file with -o")
    if split and out == STDOUT:
        raise UsageError("a folder cannot go to stdout", hint="leave --split out, or name a folder with -o")
    chosen = {"faces": faces, "groups": groups}
    options = {name: value for name, value in chosen.items() if value is not None}
    written = (
        _write_report_folder(out or Path(_DEFAULT_NAME), library, options)
        if split
        else _write_report_page(out, library, options)
    )
    if as_json and out != STDOUT:
        print_json(written)


def _write_report_page(out: Path | None, library: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    file = resolve_output_file(out or Path(f"{_DEFAULT_NAME}.html"), binary=False)
    if file is not None and file.is_dir():
        raise UsageError(f"{file} is a folder", hint="name a file, or make a folder of pages by --split")
    opened = open_library(library)
    remind_to_cluster(opened)
    made = opened.report_page(file or Path(f"{_DEFAULT_NAME}.html"), **options)
    size = f"{len(made.content) / 1e6:.1f} MB, {format_count(made.pictures, 'picture')}"
    write_output(file, lambda stream: stream.write(made.content), size)
    if made.omitted_pictures:
        click.echo(f"{format_count(made.omitted_pictures, 'face')} more have pictures in a folder: --split", err=True)
    sizes = {"pages": 1, "pictures": made.pictures, "bytes": len(made.content), "unpictured": made.omitted_pictures}
    return {"library": str(opened.root), "out": str(file), "split": False} | sizes


def _write_report_folder(out: Path, library: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    opened = open_library(library)
    remind_to_cluster(opened)
    made = opened.report_folder(out, **options)
    pages, pictures = format_count(made.pages, "page"), format_count(made.pictures, "picture")
    click.echo(
        f"wrote {made.out / 'index.html'}: {made.size / 1e6:.1f} MB, {pages}, {pictures}; "
        f"{made.new:,} new or changed, {made.removed:,} removed",
        err=True,
    )
    sizes = {"pages": made.pages, "pictures": made.pictures, "bytes": made.size}
    changes = {"new": made.new, "removed": made.removed}
    return {"library": str(opened.root), "out": str(made.out), "split": True} | sizes | changes
