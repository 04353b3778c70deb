"""`faceclust label`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import count, library_option, open_library
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.library import Library


@click.command("label")
@library_option
@click.pass_context
def command(ctx: click.Context, library: Path | None) -> None:
    """Give the groups names, largest first, seeing some of their faces.

    \b
    Answers:
      a name    this is Anna (Tab completes names you gave before)
      Enter     skip for now
      i         ignore: nobody I know, do not ask again
      u         undo the last answer
      q         stop; the next time goes on from here

    Every answer is on disk before the next question. Without a terminal, use `faceclust name`.

    \b
    Example:
      faceclust label
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("label asks questions and needs a terminal", hint='without one: faceclust name GROUP "NAME"')
    opened = open_library(library)
    if opened.clustering is None:
        raise UsageError("the faces are not grouped yet", hint="type: faceclust cluster")
    from faceclust.cli.interview import Interview

    interview = Interview(opened)
    _say_where_things_stand(opened, interview.run())
    if interview.interrupted:
        ctx.exit(130)


def _say_where_things_stand(library: Library, answered: int) -> None:
    named, left = len(library.people()), len(library.unnamed_groups())
    click.echo(f"{count(answered, 'answer')} saved")
    click.echo(f"{count(named, 'person', 'people')} named, {count(left, 'group')} without a name")
    if named:
        click.echo("next: faceclust report, or faceclust albums ~/People")
