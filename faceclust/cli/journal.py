"""`faceclust journal`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.doubts import AskedDoubts
from faceclust.cli.output.suggestions import print_suggestions, print_suggestions_json
from faceclust.cli.terminal.printing import can_ask, print_line
from faceclust.errors import FaceclustError, UsageError
from faceclust.library.answers_file import read_answers
from faceclust.people.event_text import describe_event
from faceclust.people.events import effective_events, to_record
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.people.answers_file import AnswersFile
    from faceclust.people.events import Event, JournalFace


@click.command("journal")
@click.option("-n", "--last", type=click.IntRange(1), metavar="N", help="Show the last N answers only.")
@click.option(
    "--merge",
    "other_journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Add the answers from the journal of a copy of this library, or from a page of `label --send`.",
)
@click.option("--dry-run", is_flag=True, help="With --merge: show what would be added, and write nothing.")
@library_option
@json_option
def command(last: int | None, other_journal: Path | None, dry_run: bool, library: Path | None, as_json: bool) -> None:
    """List all answers about people, oldest first; "-" marks those that were undone.

    The journal is the file people.jsonl in the library's .faceclust folder. Back it up.

    --merge also takes the file of answers that somebody sent back from a page of `label --send`.
    Those names are suggestions: they never replace your own answers, and `faceclust label` asks about them
    first.

    \b
    Examples:
      faceclust journal -n 20
      faceclust journal --merge /media/laptop/Pictures/.faceclust/people.jsonl
      faceclust journal --merge faceclust-answers-3f9c01d2.json
    """
    if dry_run and other_journal is None:
        raise UsageError("--dry-run needs --merge")
    opened = open_library(library)
    if other_journal is not None:
        _merge(opened, other_journal, dry_run, as_json)
        return
    events = opened.journal.events()
    effective_ids = {event.id for event in effective_events(events)}
    events = [event for event in events if as_json or event.kind != "undo"][-(last or 0) :]
    if as_json:
        records = [_event_status_record(event, effective_ids) for event in events]
        print_json({"library": str(opened.root), "events": records})
        return
    for event in events:
        print_line(_format_event(event, effective_ids, opened))
    if not events:
        print_line("no answers yet; next: faceclust label")


def _merge(library: Library, file: Path, dry_run: bool, as_json: bool) -> None:
    given = read_answers(file)
    if given is not None:
        _merge_answers(library, given, dry_run, as_json)
        return
    added = library.import_journal(file, dry_run=dry_run)
    if as_json:
        print_json({"library": str(library.root), "taken_in": 0 if dry_run else added, "written": not dry_run})
    else:
        print_line(f"{format_count(added, 'answer')} {'would be ' if dry_run else ''}added from {file}")


def _merge_answers(library: Library, given: AnswersFile, dry_run: bool, as_json: bool) -> None:
    if can_ask() and not as_json and not dry_run:  # otherwise a new name is one, until somebody confirms it
        library.doubts = AskedDoubts.on_terminal(as_json=as_json)
    plan = library.plan_answers(given)
    events = [] if dry_run else library.import_answers(plan)
    if as_json:
        print_suggestions_json(library, plan, events, dry_run=dry_run)
    else:
        print_suggestions(plan, dry_run=dry_run)


def _format_event(event: Event, effective_ids: set[str], library: Library) -> str:
    mark = " " if event.id in effective_ids else "-"
    photos = sorted({face.photo for face in event.faces})
    where = f"  {photos[0]}{f' and {len(photos) - 1} more' if len(photos) > 1 else ''}" if photos else ""
    if len(event.faces) == 1:
        where = f"  {_describe_face(event.faces[0], library)}"
    return f"{mark} {event.time[:19].replace('T', ' ')}  {describe_event(event)}{where}"


def _describe_face(face: JournalFace, library: Library) -> str:
    """The face as commands take it; its photo at the time of the answer, if the face is not in the library now."""
    with suppress(FaceclustError):  # the list needs no caches
        if face.face_id in library.occurrences_of:
            return library.address_of(face.face_id)
    return face.photo


def _event_status_record(event: Event, effective_ids: set[str]) -> dict[str, Any]:
    return to_record(event) | {"standing": event.id in effective_ids}
