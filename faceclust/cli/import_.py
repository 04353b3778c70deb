"""`faceclust import`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import json_option, library_option, open_library
from faceclust.cli.output.imports import print_import_json, print_import_summary


@click.command("import")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path), metavar="[FROM]...")
@click.option("--contacts", type=click.Path(path_type=Path), metavar="FILE", help="Picasa's contacts.xml.")
@click.option(
    "--keywords",
    is_flag=True,
    help="Suggest a name without a place for the only face of its photo that has none.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be entered, enter nothing.")
@click.option("--verbose", "-v", is_flag=True, help="List all that was not entered, too.")
@library_option
@json_option
def command(
    sources: tuple[Path, ...],
    contacts: Path | None,
    keywords: bool,
    dry_run: bool,
    verbose: bool,
    library: Path | None,
    as_json: bool,
) -> None:
    """Take in names that digiKam, Lightroom, Picasa, Windows and others gave to faces.

    They are read from XMP sidecars (photo.jpg.xmp, photo.xmp), from inside photos, from .picasa.ini
    with contacts.xml, and from tables (CSV) with the columns photo, left, top, right, bottom and
    name. FROM are folders or such files; without any, the whole library is looked through.

    Each name goes to the face found at its place and counts as confirmed. What you confirmed
    stands; where names contradict it, or each other, nothing is entered and you are told.

    \b
    Examples:
      faceclust import --dry-run
      faceclust import
      faceclust import 2019 --contacts ~/contacts.xml
      faceclust import faces.csv
    """
    opened = open_library(library)
    plan = opened.plan_import(sources, contacts=contacts, keywords=keywords)
    events = [] if dry_run else opened.import_names(plan)
    if as_json:
        print_import_json(opened, plan, events, dry_run)
    else:
        print_import_summary(plan, events, dry_run, verbose)
    if plan.unread:
        click.get_current_context().exit(1)
