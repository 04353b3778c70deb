"""`faceclust import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.imports import print_import_json, print_import_summary
from faceclust.cli.terminal.interrupt import stop_on_interrupt
from faceclust.errors import FaceclustError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.importers.plan import ImportPlan
    from faceclust.library.library import Library
    from faceclust.people.events import Event


@click.command("import")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path), metavar="[FROM]...")
@click.option("--contacts", type=click.Path(path_type=Path), metavar="FILE", help="Picasa's contacts.xml.")
@click.option(
    "--keywords",
    is_flag=True,
    help="Suggest a name without a position for the only unnamed face of its photo.",
)
@click.option(
    "--people-tag",
    "people_tags",
    multiple=True,
    metavar="TAG",
    help="Keywords below this tag are names, too; repeatable (People and its translations always are).",
)
@click.option(
    "--add-faces",
    is_flag=True,
    help="Draw a face by hand where a name has a place but no face was found; put other people on the whole photo.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be imported, and write nothing.")
@click.option("--verbose", "-v", is_flag=True, help="List everything that was not imported, too.")
@library_option
@json_option
def command(
    sources: tuple[Path, ...],
    contacts: Path | None,
    keywords: bool,
    people_tags: tuple[str, ...],
    add_faces: bool,
    dry_run: bool,
    verbose: bool,
    library: Path | None,
    as_json: bool,
) -> None:
    """Import names that digiKam, Lightroom, Picasa, Google Photos and others gave to faces.

    Names are read from XMP sidecars (photo.jpg.xmp, photo.xmp), from inside photos, from .picasa.ini
    with contacts.xml, from the JSON files of Google Takeout, and from tables (CSV) with the columns photo,
    left, top, right, bottom and name. FROM are folders or such files; the default is the whole library.
    FROM can also be digiKam's digikam4.db, Lightroom's .lrcat, or saved answers of Immich's API.

    Each name goes to the face at its position and counts as confirmed. On a face that looks unlike
    the others of the name, it is only suggested. A name without a position is suggested for the group of
    faces that is on the photos with the name, and seldom on others. Your own answers take precedence.
    Names that contradict them, or each other, are listed and not imported.

    With --add-faces, a region with a name where no face was found becomes a face drawn by hand, unless its place
    is uncertain. A name without a position goes to the whole photo, if the photo shows no unnamed face.

    \b
    Examples:
      faceclust import --dry-run
      faceclust import
      faceclust import 2019 --contacts ~/contacts.xml
      faceclust import faces.csv
      faceclust import --keywords --people-tag Family
      faceclust import --add-faces --dry-run -v
      faceclust import ~/Pictures/digikam4.db
    """
    opened = open_library(library)
    plan = opened.plan_import(
        sources, contacts=contacts, keywords=keywords, people_tags=people_tags, add_faces=add_faces
    )
    events = [] if dry_run else _import_names(opened, plan)
    if as_json:
        print_import_json(opened, plan, events, dry_run)
    else:
        print_import_summary(plan, events, dry_run, verbose)
    if plan.unread:
        raise FaceclustError(
            f"{format_count(len(plan.unread), 'file')} could not be read",
            hint="once the cause is fixed, faceclust import takes their names too",
        )
    drawn = sum(len(event.faces) for event in events if event.kind == "add")
    if not dry_run and (missing := len(plan.additions) - drawn):
        raise FaceclustError(
            f"{format_count(missing, 'face')} {'was' if missing == 1 else 'were'} not drawn",
            hint="faceclust import --add-faces tries again; faceclust scan reads photos that have changed",
        )


def _import_names(library: Library, plan: ImportPlan) -> list[Event]:
    if not plan.additions:
        return library.import_names(plan)
    with stop_on_interrupt("finishing the photos already started …") as should_stop:
        return library.import_names(plan, should_stop=should_stop)
