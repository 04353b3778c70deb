"""`faceclust evaluate`: a file for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.evaluate import clusters, library, pairs, quality


@click.group("evaluate")
def command() -> None:
    """Measure how good it is: on labelled photos, or on your own people.

    \b
    Examples:
      faceclust evaluate pairs lfw --pairs pairs.txt
      faceclust evaluate quality lfw --photos 1500
      faceclust evaluate clusters --truth who.csv
      faceclust evaluate library
    """


command.add_command(pairs.command)
command.add_command(clusters.command)
command.add_command(quality.command)
command.add_command(library.command)
