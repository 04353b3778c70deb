"""`faceclust label`."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

import faceclust
from faceclust.cli.common import (
    command_for,
    json_option,
    library_option,
    open_library,
    print_json,
    remind_to_regroup,
)
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.label_screen import LabelScreen
from faceclust.cli.terminal.output_file import STDOUT, print_written, resolve_output_file, write_output
from faceclust.cli.terminal.printing import can_ask, is_terminal, print_line, print_lines
from faceclust.errors import FaceclustError, UsageError
from faceclust.interview.questions_to_send import choose_questions
from faceclust.library.question_page import QuestionPage, keep_sent_page, make_question_page
from faceclust.people.events import effective_events
from faceclust.people.sent_page import MAX_QUESTIONS
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library


@click.command("label")
@library_option
@click.option("--thorough", is_flag=True, help="Also ask about single faces and unlikely matches.")
@click.option("--web", is_flag=True, help="Name people on a page in your browser, on this machine only.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the page. Default: a free one.")
@click.option("--no-browser", is_flag=True, help="Print which file to open, and start no browser.")
@click.option(
    "--send",
    metavar="PAGE",
    type=click.Path(path_type=Path),
    help="Write the questions to one HTML file, to mail to somebody who knows the people.",
)
@click.option(
    "--questions",
    type=click.IntRange(1, MAX_QUESTIONS),
    default=20,
    show_default=True,
    help="With --send: the most questions in the page.",
)
@click.option("--dry-run", "-n", is_flag=True, help="With --send: show what the page would hold, and write nothing.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    library: Path | None,
    thorough: bool,
    web: bool,
    port: int | None,
    no_browser: bool,
    send: Path | None,
    questions: int,
    dry_run: bool,
    as_json: bool,
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

    With --send, the questions that help most become one HTML file. Mail it to a relative, who answers in a
    browser and mails a small file back: `faceclust journal --merge FILE` takes it in. The page holds pictures
    of the faces asked about, the names of its yes-or-no questions, and nothing else. faceclust mails nothing.

    \b
    Examples:
      faceclust label
      faceclust label --web
      faceclust label --thorough
      faceclust label --send for-aunt-mary.html
    """
    _check_options(ctx, web=web, sends=send is not None)
    if send is not None:
        _send_page(send, questions, library, dry_run, as_json)
        return
    if not web and not (can_ask() and is_terminal()):
        raise UsageError(
            "label asks questions and needs a terminal",
            hint='without one: faceclust label --web, or faceclust name GROUP "NAME"',
        )
    opened = _open_grouped(library)
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


def _check_options(ctx: click.Context, *, web: bool, sends: bool) -> None:
    """Raise UsageError for an option that needs another one, or that another one excludes."""
    needs = {"port": web, "no_browser": web, "questions": sends, "dry_run": sends, "as_json": sends}
    for option, is_met in needs.items():
        if not is_met and ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            name = "json" if option == "as_json" else option.replace("_", "-")
            raise UsageError(f"--{name} needs {'--web' if option in ('port', 'no_browser') else '--send'}")
    for option in ("web", "thorough"):
        if sends and ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--send cannot be used with --{option}")


def _send_page(out: Path, count: int, library: Path | None, dry_run: bool, as_json: bool) -> None:
    if as_json and out == STDOUT and is_on_command_line("as_json"):
        raise UsageError("--json and the page cannot both go to standard output", hint="name a file after --send")
    file = resolve_output_file(out, binary=False)
    if file is not None and file.is_dir():
        raise UsageError(f"{file} is a folder", hint="name a file, such as questions.html")
    opened = _open_grouped(library)
    page = make_question_page(opened, choose_questions(opened, count))
    if page is None:
        raise FaceclustError("there is no question to send", hint="faceclust people --all lists the groups")
    if not dry_run:
        with keep_sent_page(opened, page):
            write_output(file, lambda stream: stream.write(page.content))
        print_written(file, f"{len(page.content) / 1e6:.1f} MB, {format_count(page.pictures, 'picture')}")
    if as_json and file is not None:
        print_json(_page_record(opened, file, page, dry_run=dry_run))
    elif file is not None or dry_run:
        _print_page_contents(page, dry_run=dry_run)


def _open_grouped(library: Path | None) -> Library:
    opened = open_library(library)
    if opened.clustering is None:
        raise UsageError("the faces are not grouped yet", hint=command_for(opened.root, "faceclust cluster"))
    remind_to_regroup(opened)
    return opened


def _page_record(library: Library, file: Path, page: QuestionPage, *, dry_run: bool) -> dict[str, Any]:
    return {
        "library": str(library.root),
        "out": str(file),
        "page": page.sent.id,
        "questions": len(page.sent.questions),
        "pictures": page.pictures,
        "bytes": len(page.content),
        "names": list(page.names),
        "written": not dry_run,
    }


def _print_page_contents(page: QuestionPage, *, dry_run: bool) -> None:
    sure = sum(one is not None and one.name is not None for one in page.sent.questions)
    questions = format_count(len(page.sent.questions), "question")
    names = f" about {', '.join(page.names)}" if page.names else ""
    print_line(f"in the page: {questions}, {sure} of them yes or no{names}; {format_count(page.pictures, 'picture')}")
    print_line("not in the page: paths, dates, places, other names")
    if dry_run:
        print_line("nothing was written")
    else:
        print_line("next: mail it; when the answers come back: faceclust journal --merge FILE")


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
