"""`faceclust journal`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.people.event_text import describe_event
from faceclust.people.events import effective_events, to_record

if TYPE_CHECKING:
    from faceclust.people.events import Event


@click.command("journal")
@click.option("-n", "--last", type=click.IntRange(1), metavar="N", help="Only the last N.")
@click.option(
    "--merge",
    "other_journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take in the journal of a copy of this library, used elsewhere.",
)
@library_option
@json_option
def command(last: int | None, other_journal: Path | None, library: Path | None, as_json: bool) -> None:
    """Show all that was said of the people, oldest first; "-" marks what was taken back.

    The journal is people.jsonl in the library's .faceclust folder: the file to back up.

    \b
    Examples:
      faceclust journal -n 20
      faceclust journal --merge /media/laptop/Pictures/.faceclust/people.jsonl
    """
    opened = open_library(library)
    if other_journal is not None:
        taken = opened.import_journal(other_journal)
        if as_json:
            print_json({"library": str(opened.root), "taken_in": taken})
        else:
            click.echo(f"{format_count(taken, 'line')} taken in from {other_journal}")
        return
    events = opened.journal.events()
    standing = {event.id for event in effective_events(events)}
    events = [event for event in events if as_json or event.kind != "undo"][-(last or 0) :]
    if as_json:
        print_json({"library": str(opened.root), "events": [_event_status_record(event, standing) for event in events]})
        return
    for event in events:
        click.echo(_format_event(event, standing))
    if not events:
        click.echo("nothing was said yet; type: faceclust label")


def _format_event(event: Event, effective_ids: set[str]) -> str:
    mark = " " if event.id in effective_ids else "-"
    photos = sorted({face.photo for face in event.faces})
    where = f"  {photos[0]}{f' and {len(photos) - 1} more' if len(photos) > 1 else ''}" if photos else ""
    return printable(f"{mark} {event.time[:19].replace('T', ' ')}  {describe_event(event)}{where}")


def _event_status_record(event: Event, effective_ids: set[str]) -> dict[str, Any]:
    return to_record(event) | {"standing": event.id in effective_ids}
