"""`faceclust models`: a file for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.models import add, calibrate, pull, remove, show, use, verify
from faceclust.cli.models import list as list_


@click.group("models", short_help="The face models: list, show, pull, use, add, calibrate, verify, remove.")
def command() -> None:
    """The face models: which there are, and which are in use.

    \b
    Examples:
      faceclust models list
      faceclust models show sface
      faceclust models pull sface
      faceclust models use sface
      faceclust models add my.onnx --template arcface --input rgb --mean 127.5 --scale 127.5
      faceclust models calibrate my ~/lfw
      faceclust models verify
      faceclust models remove sface
    """


command.add_command(list_.command)
command.add_command(show.command)
command.add_command(pull.command)
command.add_command(use.command)
command.add_command(add.command)
command.add_command(calibrate.command)
command.add_command(verify.command)
command.add_command(remove.command)
