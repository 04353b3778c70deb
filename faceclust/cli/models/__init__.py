"""`faceclust models`: a file for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.models import list as list_
from faceclust.cli.models import pull, remove, show, verify


@click.group("models", short_help="The face models: list, pull, verify, remove.")
def command() -> None:
    """The face models: which there are, and which are in use.

    \b
    Examples:
      faceclust models list
      faceclust models show sface
      faceclust models pull sface
      faceclust models verify
      faceclust models remove sface
    """


command.add_command(list_.command)
command.add_command(show.command)
command.add_command(pull.command)
command.add_command(verify.command)
command.add_command(remove.command)
