"""`faceclust report`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import library_option, open_library
from faceclust.cli.out import destination, write_out


@click.command("report")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default="faceclust-report.html",
    show_default=True,
    help="The file to write; - for stdout.",
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
    file = destination(out, binary=False)
    opened = open_library(library)
    html = opened.report(file or Path("report.html"), faces=faces, groups=groups).encode()
    write_out(file, lambda stream: stream.write(html), f"{len(html) / 1e6:.1f} MB")
