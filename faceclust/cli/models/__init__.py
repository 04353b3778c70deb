"""`faceclust models`: a file for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.models import use


@click.group("models")
def command() -> None:
    """The face models: which there are, and which are in use.

    \b
    Examples:
      faceclust models use sface
    """


command.add_command(use.command)
