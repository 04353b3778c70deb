"""`faceclust people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import count, json_option, library_option, open_library, print_json

if TYPE_CHECKING:
    from faceclust.library import Library
    from faceclust.types import Person


@click.command("people")
@library_option
@click.option("--all", "everyone", is_flag=True, help="Also groups without a name.")
@json_option
def command(library: Path | None, everyone: bool, as_json: bool) -> None:
    """List the people: name, faces, photos, years, group numbers.

    \b
    Examples:
      faceclust people
      faceclust people --all --json
    """
    opened = open_library(library)
    persons = opened.persons if everyone else opened.people()
    rows = [_row(opened, person) for person in persons]
    if as_json:
        print_json({"library": str(opened.root), "people": rows, "waiting": opened.resolved.waiting})
        return
    waiting = opened.resolved.waiting
    if rows:
        _print_table(rows)
    elif not waiting:
        click.echo("nobody has a name yet; type: faceclust label")
    if waiting:
        click.echo(f"{count(waiting, 'named face')} on photos that are not here now; the names wait for them")


def _row(library: Library, person: Person) -> dict[str, Any]:
    from faceclust.outputs.report import date_range

    places = [place for face in person.face_ids for place in library.places_of.get(face, ())]
    return {
        "name": person.name,
        "faces": len(person.face_ids),
        "confirmed": len(person.confirmed),
        "photos": len({place.photo for place in places}),
        "years": date_range(place.taken_at for place in places),
        "groups": list(person.clusters),
        "ignored": person.ignored,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", overflow="fold")
    for heading in ("faces", "confirmed", "photos"):
        table.add_column(heading, justify="right")
    table.add_column("years")
    table.add_column("groups", overflow="fold")
    for row in rows:
        name = row["name"] or ("(ignored)" if row["ignored"] else "–")
        groups = ", ".join(map(str, row["groups"]))
        table.add_row(name, str(row["faces"]), str(row["confirmed"]), str(row["photos"]), row["years"], groups)
    Console(markup=False, highlight=False, emoji=False).print(table)
