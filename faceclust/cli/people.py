"""`faceclust people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import (
    folder_option,
    json_option,
    library_option,
    open_library,
    print_json,
    remind_to_regroup,
)
from faceclust.cli.output.facts import facts_record
from faceclust.cli.output.people import print_people_table
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.outputs.overview import format_year_range
from faceclust.text.plural import format_count
from faceclust.types.face_numbers import split_face_address

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.outputs.overview import Overview


@click.command("people")
@library_option
@click.option("--all", "everyone", is_flag=True, help="Include groups without a name.")
@click.option("--group", metavar="GROUP", help="Only people of this group, such as Family.")
@folder_option
@json_option
def command(library: Path | None, everyone: bool, group: str | None, folder: Path | None, as_json: bool) -> None:
    """List the people: counts of faces and photos, first and last date, best face, groups.

    Confirmed faces are those you saw or chose when you gave the name. Suggested faces came with
    their group. --json lists the ids of both.

    With --folder, only people on the photos there are listed. Counts, dates and the best face are
    those of these photos. The exit code is 1 if nobody is on them. --group lists the people of a
    group that `person NAME --group GROUP` made.

    \b
    Examples:
      faceclust people
      faceclust people --folder 2019/italy
      faceclust people --group Family
      faceclust people --all --json
    """
    if everyone and group is not None:
        raise UsageError("--all and --group contradict each other", hint="groups without a name are in no group")
    opened = open_library(library)
    overviews = opened.overviews(include_unnamed=everyone, folder=folder, group=group)
    rows = [_person_record(overview, opened) for overview in overviews]
    missing = opened.answers.missing_count
    if as_json:
        print_json({"library": str(opened.root), "people": rows, "waiting": missing})
    else:
        _print_people(opened, rows, missing, everyone=everyone, group=group, folder=folder)
    if folder is not None and not rows:
        click.get_current_context().exit(1)


def _print_people(
    opened: Library,
    rows: list[dict[str, Any]],
    missing: int,
    *,
    everyone: bool,
    group: str | None,
    folder: Path | None,
) -> None:
    remind_to_regroup(opened)
    if rows:
        print_people_table(rows)
    elif folder is not None:
        who = f"of {group} " if group is not None else "" if everyone else "with a name "
        print_line(f"nobody {who}is on the photos in {folder}")
    elif not missing:
        print_line("nobody has a name yet; next: faceclust label")
    if missing and folder is None and group is None:
        print_line(f"{format_count(missing, 'named face')} on missing photos; the names return with the photos")


def _person_record(overview: Overview, library: Library) -> dict[str, Any]:
    person, best = overview.person, overview.best
    return {
        "name": person.name,
        "faces": len(person.face_ids),
        "confirmed": len(overview.confirmed),
        "suggested": len(overview.suggested),
        "photos": overview.photos,
        "years": format_year_range((overview.first, overview.last)),
        "first": overview.first.isoformat() if overview.first else None,
        "last": overview.last.isoformat() if overview.last else None,
        "best": {
            "face_id": best.face_id,
            "photo": best.photo,
            "frame_time": best.frame_time,
            "number": split_face_address(library.address_of(best.face_id))[1],
            "quality": round(best.quality, 4),
            "confirmed": best.face_id in person.confirmed,
        }
        if best
        else None,
        "groups": list(person.clusters),
        "ignored": person.ignored,
        "facts": facts_record(person.facts) if person.name is not None else None,
        "confirmed_faces": list(overview.confirmed),
        "suggested_faces": list(overview.suggested),
    }
