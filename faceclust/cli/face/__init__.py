"""`faceclust face`, one module for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.lazy_group import CommandEntry, LazyGroup

_HELP = {
    "add": "Draw a face that no scan has found.",
    "move": "Correct the box of a face.",
    "remove": "Mark faces that are not faces.",
}


@click.group(
    "face",
    cls=LazyGroup,
    table=[CommandEntry(name, f"faceclust.cli.face.{name}", text) for name, text in _HELP.items()],
)
def command() -> None:
    """Draw, move or remove faces by hand.

    \b
    Examples:
      faceclust face add party.jpg 310,120,390,220 Anna
      faceclust face add party.jpg --whole Anna
      faceclust face move party.jpg#2 310,120,390,220
      faceclust face remove party.jpg#3
    """
