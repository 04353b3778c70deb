"""`faceclust report`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json, remind_to_cluster
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.output_file import STDOUT, print_written, resolve_output_file, write_output
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.files.library_roots import LibraryRoots
from faceclust.library.destinations import refuse_link_in_library
from faceclust.text.plural import format_count

_DEFAULT_NAME = "faceclust-report"


@click.command("report")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    help=f"The file to write, - for standard output; with --split, the folder. "
    f"[default: {_DEFAULT_NAME}.html or {_DEFAULT_NAME}]",
)
@click.option("--split", is_flag=True, help="Write a folder with a page for each person and pictures as files.")
@click.option("--faces", type=click.IntRange(1), help="Most pictures of a person. [default: 48; with --split 200]")
@click.option("--groups", type=click.IntRange(0), help="Most unnamed groups. [default: 300; with --split all]")
@library_option
@json_option
def command(
    out: Path | None, split: bool, faces: int | None, groups: int | None, library: Path | None, as_json: bool
) -> None:
    """Write an HTML page of all people.

    The page contains its pictures (at most 3,000) and opens without a network; links lead to the
    photos. For more pictures write a folder with --split, and open its index.html. The next run
    updates the folder; files in it that are not part of the report are never touched.

    Other users cannot read a new file or folder; an existing one keeps its permissions.

    \b
    Examples:
      faceclust report
      faceclust report -o ~/people.html --faces 96
      faceclust report --split -o ~/people
    """
    if as_json and out == STDOUT and is_on_command_line("as_json"):
        raise UsageError("--json and the page cannot both go to standard output", hint="name a file with -o")
    if split and out == STDOUT:
        raise UsageError("a folder cannot go to standard output", hint="remove --split, or name a folder with -o")
    limits = {"faces": faces, "groups": groups}
    options = {name: value for name, value in limits.items() if value is not None}
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
        raise UsageError(f"{file} is a folder", hint="name a file, or add --split for a folder of pages")
    opened = open_library(library)
    remind_to_cluster(opened)
    page = opened.report_page(file or Path(f"{_DEFAULT_NAME}.html"), **options)
    size = f"{len(page.content) / 1e6:.1f} MB, {format_count(page.pictures, 'picture')}"
    write_output(file, lambda stream: stream.write(page.content))
    print_written(file, size)
    if page.omitted_pictures:
        omitted = format_count(page.omitted_pictures, "more face")
        print_line(f"{omitted} without a picture; for all pictures: faceclust report --split", err=True)
    _print_away(opened.photos, opened.roots)
    sizes = {"pages": 1, "pictures": page.pictures, "bytes": len(page.content), "unpictured": page.omitted_pictures}
    return {"library": str(opened.root), "out": str(file), "split": False} | sizes


def _write_report_folder(out: Path, library: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    refuse_link_in_library(out)
    opened = open_library(library)
    remind_to_cluster(opened)
    report = opened.report_folder(out, **options)
    pages, pictures = format_count(report.pages, "page"), format_count(report.pictures, "picture")
    print_line(
        f"wrote {report.out / 'index.html'}: {report.size / 1e6:.1f} MB, {pages}, {pictures}; "
        f"{report.new:,} new or changed, {report.removed:,} removed",
        err=True,
    )
    _print_away(opened.photos, opened.roots)
    sizes = {"pages": report.pages, "pictures": report.pictures, "bytes": report.size}
    changes = {"new": report.new, "removed": report.removed}
    return {"library": str(opened.root), "out": str(report.out), "split": True} | sizes | changes


def _print_away(photos: Iterable[str], roots: LibraryRoots) -> None:
    if away := roots.count_away(photos):
        print_line(
            f"{format_count(away, 'photo')} on a disk that is away: faces there have a picture only if it was cut out "
            "before",
            err=True,
        )
