"""`faceclust label`."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

import faceclust
from faceclust.cli.common import command_for, library_option, open_library, remind_to_regroup
from faceclust.cli.terminal.label_screen import LabelScreen
from faceclust.cli.terminal.printing import can_ask, is_terminal, print_line, print_lines
from faceclust.errors import UsageError
from faceclust.people.events import effective_events
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library


@click.command("label")
@library_option
@click.option("--thorough", is_flag=True, help="Also ask about single faces and unlikely matches.")
@click.option("--web", is_flag=True, help="Name people on a page in your browser, on this machine only.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the page. Default: a free one.")
@click.option("--no-browser", is_flag=True, help="Print which file to open, and start no browser.")
@click.pass_context
def command(
    ctx: click.Context, library: Path | None, thorough: bool, web: bool, port: int | None, no_browser: bool
) -> None:
    """Name the people by answering a few questions; the most helpful one comes first.

    \b
    The questions:
      Who is this?                       type a name
      Are these Anna too?                y all of them, n none, 2 3 all but these
      Are these all Anna?                y, n, or the numbers of other faces
      Are these two the same person?     y or n

    \b
    Always: Enter skips, ? explains the answers, b goes back, u undoes, U redoes,
    s shows suggested faces, o opens the photo, q quits.
    f marks what is not a face at all, f 2 picture 2.
    At "Who is this?", n means nobody you know; that is never asked again.

    Every answer is saved before the next question, and the next run continues from there. Without
    a terminal, use --web, or the commands name, confirm, reject, merge, split and ignore.

    With --web, a page in your browser asks the same questions, with large pictures and all groups side
    by side. Only the browser that faceclust opens can use it. It ends with Done, with Ctrl-C here, or
    after 30 minutes without a page.

    \b
    Examples:
      faceclust label
      faceclust label --web
      faceclust label --thorough
    """
    for option in ("port", "no_browser"):
        if not web and ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{option.replace('_', '-')} needs --web")
    if not web and not (can_ask() and is_terminal()):
        raise UsageError(
            "label asks questions and needs a terminal",
            hint='without one: faceclust label --web, or faceclust name GROUP "NAME"',
        )
    opened = open_library(library)
    if opened.clustering is None:
        raise UsageError("the faces are not grouped yet", hint=command_for(opened.root, "faceclust cluster"))
    remind_to_regroup(opened)
    if web:
        _label_on_page(ctx, opened, thorough=thorough, port=port or 0, open_browser=not no_browser)
        return
    screen = LabelScreen(opened, thorough=thorough)
    try:
        screen.run()
    finally:
        _print_naming_progress(opened, screen.answer_count)
    if screen.interrupted:
        ctx.exit(130)


def _label_on_page(ctx: click.Context, library: Library, *, thorough: bool, port: int, open_browser: bool) -> None:
    from faceclust.web.server import Ending, serve_page  # loads asyncio and a web server, for this option only

    answers_before = _count_answers(library)
    try:
        ending = serve_page(
            library, thorough=thorough, port=port, open_browser=open_browser, announce=_print_note, report=_print_bug
        )
    finally:
        library = faceclust.Library(library.root)  # a thread may still use the other one
        _print_naming_progress(library, max(0, _count_answers(library) - answers_before))
    if ending is Ending.IDLE:
        print_line("ended: no page was open for 30 minutes", err=True)
    if ending is Ending.INTERRUPTED:
        ctx.exit(130)


def _count_answers(library: Library) -> int:
    return len(effective_events(library.journal.events()))


def _print_note(text: str) -> None:
    print_lines([text], err=True)  # also with --quiet: without this line nobody could open the page


def _print_bug(error: Exception) -> None:
    lines = [f"error: the page could not be served: {type(error).__name__}"]
    if os.environ.get("FACECLUST_DEBUG"):
        lines += "".join(traceback.format_exception(error)).split("\n")
    else:
        lines.append("hint: this is a bug in faceclust: set FACECLUST_DEBUG=1 for a traceback, and report it")
    print_lines(lines, err=True)


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
