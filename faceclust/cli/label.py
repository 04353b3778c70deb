"""`faceclust label`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import library_option, open_library, remind_to_regroup
from faceclust.cli.terminal.label_screen import LabelScreen
from faceclust.cli.terminal.text import format_count
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.library.library import Library


@click.command("label")
@library_option
@click.option("--thorough", is_flag=True, help="Also ask about single faces and unlikely matches.")
@click.pass_context
def command(ctx: click.Context, library: Path | None, thorough: bool) -> None:
    """Name the people, with few questions: the most helpful one comes first.

    \b
    Asked is:
      who a group is                     answer with a name
      whether faces are Anna too         y all are, n none is, 2 3 all but these
      whether Anna's faces all are hers  y, n or numbers; new faces come first
      whether two are the same person    y or n

    \b
    Always: Enter later, ? more about the answers, b back, u undo, o open the photo, q quit.
    At "who is this", n is nobody you know: never asked again.

    Every answer is on disk before the next question, and the next time goes on from there.
    Without a terminal there are the commands name, confirm, reject, merge, split and ignore.

    \b
    Examples:
      faceclust label
      faceclust label --thorough
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("label asks questions and needs a terminal", hint='without one: faceclust name GROUP "NAME"')
    opened = open_library(library)
    if opened.clustering is None:
        raise UsageError("the faces are not grouped yet", hint="type: faceclust cluster")
    remind_to_regroup(opened)
    screen = LabelScreen(opened, thorough=thorough)
    try:
        screen.run()
    finally:
        _print_naming_progress(opened, screen.answer_count)
    if screen.interrupted:
        ctx.exit(130)


def _print_naming_progress(library: Library, answer_count: int) -> None:
    people = library.people()
    left, faces = len(library.unnamed_groups()), sum(len(person.face_ids) for person in people)
    click.echo(f"{format_count(answer_count, 'answer')} saved")
    click.echo(
        f"{format_count(len(people), 'person', 'people')} named, on {format_count(faces, 'face')}; "
        f"{format_count(left, 'group')} without a name"
    )
    if people:
        click.echo("next: faceclust report, or faceclust albums ~/People")
