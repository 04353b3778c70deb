"""`faceclust models`: a file for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.models import add, calibrate


@click.group("models")
def command() -> None:
    """The face models: which there are, and which are in use.

    \b
    Examples:
      faceclust models add my.onnx --template arcface --input rgb --mean 127.5 --scale 127.5
      faceclust models calibrate my ~/lfw
    """


command.add_command(add.command)
command.add_command(calibrate.command)
