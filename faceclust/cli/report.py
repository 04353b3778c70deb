"""`faceclust report`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import library_option, open_library, require_folder
from faceclust.errors import FaceclustError


@click.command("report")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default="faceclust-report.html",
    show_default=True,
    help="The file to write.",
)
@click.option("--faces", type=click.IntRange(1, 500), default=12, show_default=True, help="Pictures of each person.")
@click.option("--groups", type=click.IntRange(0), default=300, show_default=True, help="Unnamed groups at most.")
@library_option
def command(out: Path, faces: int, groups: int, library: Path | None) -> None:
    """Write one HTML page with everyone on it.

    The page holds the pictures itself and opens without a network; links lead to the photos.

    \b
    Examples:
      faceclust report
      faceclust report -o ~/people.html --faces 24
    """
    out = require_folder(out)
    opened = open_library(library)
    html = opened.report(out, faces=faces, groups=groups)
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise FaceclustError(
            f"{out} cannot be written: {error.strerror}", hint="choose another place with -o"
        ) from error
    click.echo(f"wrote {out} ({len(html) / 1e6:.1f} MB)")
