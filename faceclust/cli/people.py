"""`faceclust people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json, remind_of_models
from faceclust.cli.output.people import print_roster
from faceclust.cli.terminal.text import count

if TYPE_CHECKING:
    from faceclust.outputs.overview import Overview


@click.command("people", short_help="List the people, with counts and dates.")
@library_option
@click.option("--all", "everyone", is_flag=True, help="Also groups without a name.")
@json_option
def command(library: Path | None, everyone: bool, as_json: bool) -> None:
    """List the people: faces, photos, first and last date, best face, group numbers.

    Confirmed faces are those you saw or pointed at when you gave the name; suggested ones came
    with the group. --json says which is which, by face id.

    \b
    Examples:
      faceclust people
      faceclust people --all --json
    """
    opened = open_library(library)
    rows = [_row(known) for known in opened.overview(everyone=everyone)]
    waiting = opened.resolved.waiting
    if as_json:
        print_json({"library": str(opened.root), "people": rows, "waiting": waiting})
        return
    remind_of_models(opened)
    if rows:
        print_roster(rows)
    elif not waiting:
        click.echo("nobody has a name yet; type: faceclust label")
    if waiting:
        click.echo(f"{count(waiting, 'named face')} on photos that are not here now; the names wait for them")


def _row(known: Overview) -> dict[str, Any]:
    from faceclust.outputs.overview import date_range

    person, best = known.person, known.best
    return {
        "name": person.name,
        "faces": len(person.face_ids),
        "confirmed": len(known.confirmed),
        "suggested": len(known.suggested),
        "photos": known.photos,
        "years": date_range((known.first, known.last)),
        "first": known.first.isoformat() if known.first else None,
        "last": known.last.isoformat() if known.last else None,
        "best": {
            "face_id": best.face_id,
            "photo": best.photo,
            "quality": round(best.quality, 4),
            "confirmed": best.face_id in person.confirmed,
        }
        if best
        else None,
        "groups": list(person.clusters),
        "ignored": person.ignored,
        "confirmed_faces": list(known.confirmed),
        "suggested_faces": list(known.suggested),
    }
