"""`faceclust map`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import library_option, open_library, remind_to_cluster
from faceclust.cli.terminal.output_file import print_written, resolve_output_file, write_output
from faceclust.outputs.map.layout import require_method
from faceclust.text.plural import format_count


@click.command("map")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default="faceclust-map.html",
    show_default=True,
    help="The file to write, - for standard output.",
)
@click.option(
    "--method",
    "-m",
    type=click.Choice(["tsne", "umap"]),
    default="tsne",
    show_default=True,
    help="Projection method; umap needs faceclust[umap].",
)
@click.option("--pictures", type=click.IntRange(0), default=20_000, show_default=True, help="Most pictures.")
@library_option
def command(out: Path, method: str, pictures: int, library: Path | None) -> None:
    """Write one HTML page with every face as a point, similar faces side by side.

    Points are coloured by person and show their picture. The page can be zoomed and searched by
    name, and opens without a network. Distances between remote groups have no meaning.

    Other users cannot read a new file; an existing one keeps its permissions.

    \b
    Examples:
      faceclust map
      faceclust map -o ~/map.html --pictures 5000
      faceclust map --method umap
    """
    require_method(method)
    file = resolve_output_file(out, binary=False)
    opened = open_library(library)
    remind_to_cluster(opened)
    html = opened.map_page(file or Path("map.html"), method=method, pictures=pictures).encode()
    size = f"{format_count(len(opened.faces.face_ids), 'face')}, {len(html) / 1e6:.1f} MB"
    write_output(file, lambda stream: stream.write(html))
    print_written(file, size)
