"""`faceclust evaluate`, one module for each of its commands."""

from __future__ import annotations

import click

from faceclust.cli.lazy_group import CommandEntry, LazyGroup

_HELP = {
    "pairs": "Verify pairs of photos by the protocol of LFW.",
    "clusters": "Score clusterings of faces with known persons.",
    "quality": "Measure the cost of JPEG and of small faces.",
    "library": "Score your library by the names you confirmed.",
}


@click.group(
    "evaluate",
    cls=LazyGroup,
    table=[CommandEntry(name, f"faceclust.cli.evaluate.{name}", text) for name, text in _HELP.items()],
)
def command() -> None:
    """Measure accuracy, on labelled photos or on your own library.

    \b
    Examples:
      faceclust evaluate pairs lfw --pairs pairs.txt
      faceclust evaluate quality lfw --photos 1500
      faceclust evaluate clusters --truth who.csv
      faceclust evaluate library
    """
