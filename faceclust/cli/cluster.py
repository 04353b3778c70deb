"""`faceclust cluster`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import count, json_option, library_option, open_library, print_json


@click.command("cluster")
@library_option
@click.option(
    "--threshold",
    "-t",
    type=float,
    default=1.1,
    show_default=True,
    help="Squared L2 distance up to which groups are one.",
)
@click.option(
    "--algorithm",
    "-a",
    type=click.Choice(["average", "complete", "single", "hdbscan"]),
    default="average",
    show_default=True,
    help="How groups are made; hdbscan knows no threshold.",
)
@click.option("--min-size", type=click.IntRange(1), default=2, show_default=True, help="Break up smaller groups.")
@json_option
def command(library: Path | None, threshold: float, algorithm: str, min_size: int, as_json: bool) -> None:
    """Group the faces by person.

    A lower threshold makes more and purer groups, a higher one fewer and larger ones.
    Names given before stay with their faces. Two faces of one photo are two people.

    \b
    Examples:
      faceclust cluster
      faceclust cluster --threshold 0.9
      faceclust cluster --algorithm hdbscan --min-size 3
    """
    opened = open_library(library)
    clustering = opened.cluster(threshold, algorithm=algorithm, min_size=min_size)
    sizes = sorted((len(faces) for faces in opened.members.values()), reverse=True)
    alone = len(clustering.face_ids) - sum(sizes)
    if as_json:
        print_json(
            {
                "library": str(opened.root),
                "algorithm": algorithm,
                "threshold": threshold,
                "min_size": min_size,
                "faces": len(clustering.face_ids),
                "groups": len(sizes),
                "alone": alone,
                "sizes": sizes,
                "named": len(opened.people()),
            }
        )
        return
    click.echo(f"{count(len(clustering.face_ids), 'face')}: {count(len(sizes), 'group')}, {alone:,} alone")
    if sizes:
        click.echo(f"largest: {', '.join(str(size) for size in sizes[:10])} faces")
    waiting = len(opened.unnamed_groups())
    if waiting:
        click.echo(f"next: faceclust label ({count(waiting, 'group')} without a name)")
