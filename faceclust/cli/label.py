"""`faceclust label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import command_for, library_option, open_library, remind_to_regroup
from faceclust.cli.terminal.label_screen import LabelScreen
from faceclust.cli.terminal.printing import can_ask, is_terminal, print_line
from faceclust.errors import UsageError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library


@click.command("label")
@library_option
@click.option("--thorough", is_flag=True, help="Also ask about single faces and unlikely matches.")
@click.pass_context
def command(ctx: click.Context, library: Path | None, thorough: bool) -> None:
    """Name the people by answering a few questions; the most helpful one comes first.

    \b
    The questions:
      Who is this?                       type a name
      Are these Anna too?                y all of them, n none, 2 3 all but these
      Are these all Anna?                y, n, or the numbers of other faces
      Are these two the same person?     y or n

    \b
    Always: Enter skips, ? explains the answers, b goes back, u undoes, U redoes,
    s shows suggested faces, o opens the photo, q quits. f marks what is not a face at all, f 2 picture 2.
    At "Who is this?", n means nobody you know; that is never asked again.

    Every answer is saved before the next question, and the next run continues from there. Without
    a terminal, use the commands name, confirm, reject, merge, split and ignore.

    \b
    Examples:
      faceclust label
      faceclust label --thorough
    """
    if not (can_ask() and is_terminal()):
        raise UsageError("label asks questions and needs a terminal", hint='without one: faceclust name GROUP "NAME"')
    opened = open_library(library)
    if opened.clustering is None:
        raise UsageError("the faces are not grouped yet", hint=command_for(opened.root, "faceclust cluster"))
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
    faces = sum(len(person.face_ids) for person in people)
    print_line(f"{format_count(answer_count, 'answer')} saved")
    print_line(
        f"{format_count(len(people), 'person', 'people')} named, on {format_count(faces, 'face')}; "
        f"{format_count(len(library.unnamed_groups()), 'unnamed group')}"
    )
    if people:
        print_line("next: faceclust report, or faceclust albums ~/People")
