"""`faceclust undo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.output.answers import count_faces_by_name, print_changes
from faceclust.cli.terminal.printing import can_ask, confirm, print_line
from faceclust.errors import FaceclustError, UsageError
from faceclust.people.event_text import describe_event
from faceclust.people.events import suggester_of
from faceclust.people.names import person_key
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faceclust.people.events import Event

#: More answers than this are listed and undone only after a question: `undo 30` is easily typed for `undo 3`.
_MAX_UNASKED = 3


@click.command("undo")
@click.argument("number", type=click.IntRange(1), default=1, metavar="[N]")
@click.option("--dry-run", "-n", is_flag=True, help="List the answers that would be undone, and write nothing.")
@click.option("--source", metavar="WHO", help="Undo all answers that WHO suggested, or that came from this source.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however many answers it is.")
@library_option
@json_option
def command(number: int, dry_run: bool, source: str | None, yes: bool, library: Path | None, as_json: bool) -> None:
    """Undo the last answer, or the last N.

    Every answer can be undone: names, confirmations, merges and all others, whether given by a
    command or in `label`. The exception is `forget`. More than 3 answers are listed first, and you
    are asked. `faceclust redo` brings them back; `faceclust journal` lists all answers.

    --source takes back what somebody suggested on a page of `label --send`, or what an import brought:
    WHO is the name, or the source that `faceclust journal` shows.

    \b
    Examples:
      faceclust undo
      faceclust undo 3
      faceclust undo 12 --dry-run
      faceclust undo --source "Aunt Mary"
    """
    if source is not None and is_on_command_line("number"):
        raise UsageError("undo takes a number or --source, not both")
    opened = open_library(library)
    events = opened.journal.events()
    if events and events[-1].kind == "forget":
        print_line("note: `forget` cannot be undone; undoing the answer before it", err=True)
    planned = opened.journal.undoable()
    planned = planned[:number] if source is None else [event for event in planned if _is_from(event, source)]
    if not planned:
        what = "to undo" if source is None else f"from {source} to undo"
        raise FaceclustError(f"there is nothing {what}", hint="faceclust journal lists the answers")
    before = count_faces_by_name(opened)
    if dry_run:
        print_changes(opened, as_json, planned, before, done="would undo")
    else:
        if len(planned) > _MAX_UNASKED and not yes:
            _confirm_undo(planned, as_json)
        undone = [event for answer in planned if (event := opened.undo(answer.id))]
        print_changes(opened, as_json, undone, before, done="undone")
    if source is None and len(planned) < number and not as_json:
        print_line(f"only {format_count(len(planned), 'answer')} left to undo, not {number:,}")


def _is_from(event: Event, source: str) -> bool:
    names = [name for name in (event.source, suggester_of(event)) if name is not None]
    return person_key(source) in map(person_key, names)


def _confirm_undo(planned: Sequence[Event], as_json: bool) -> None:
    count = format_count(len(planned), "answer")
    if as_json or not can_ask():
        raise UsageError(
            f"undoing {count} needs a confirmation, and there is no terminal",
            hint="add --yes, or --dry-run to list them",
        )
    for event in planned:
        print_line(f"  {event.time[:19].replace('T', ' ')}  {describe_event(event)}", err=True)
    if not confirm(f"Undo these {count}?", err=True):
        raise FaceclustError("nothing was undone", hint="faceclust undo takes back the last answer alone")
