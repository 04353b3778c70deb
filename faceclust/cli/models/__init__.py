"""`faceclust models`, one module for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.lazy_group import CommandEntry, LazyGroup

_HELP = {
    "list": "List all packs, with a star at the one in use.",
    "show": "Show one pack: licence, files, hashes, settings.",
    "pull": "Download a pack. Nothing else uses the network.",
    "use": "Show or choose the pack a library uses.",
    "add": "Install a pack from files on this disk.",
    "calibrate": "Find a pack's radius on labelled photos.",
    "verify": "Check the files of packs against their hashes.",
    "remove": "Delete the files of a pack.",
}


@click.group(
    "models",
    cls=LazyGroup,
    table=[CommandEntry(name, f"faceclust.cli.models.{name}", text) for name, text in _HELP.items()],
)
def command() -> None:
    """List, download, add or switch packs of face models.

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
