"""`faceclust journal`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import FaceclustError
from faceclust.people.event_text import describe_event
from faceclust.people.events import effective_events, to_record
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.people.events import Event, JournalFace


@click.command("journal")
@click.option("-n", "--last", type=click.IntRange(1), metavar="N", help="Show the last N answers only.")
@click.option(
    "--merge",
    "other_journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Add the answers from the journal of a copy of this library.",
)
@library_option
@json_option
def command(last: int | None, other_journal: Path | None, library: Path | None, as_json: bool) -> None:
    """List all answers about people, oldest first; "-" marks those that were undone.

    The journal is the file people.jsonl in the library's .faceclust folder. Back it up.

    \b
    Examples:
      faceclust journal -n 20
      faceclust journal --merge /media/laptop/Pictures/.faceclust/people.jsonl
    """
    opened = open_library(library)
    if other_journal is not None:
        added = opened.import_journal(other_journal)
        if as_json:
            print_json({"library": str(opened.root), "taken_in": added})
        else:
            print_line(f"{format_count(added, 'answer')} added from {other_journal}")
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
