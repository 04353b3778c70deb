"""What an import entered and what it left, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.importers.collect import EMBEDDED, PICASA, SIDECARS, TABLE

if TYPE_CHECKING:
    from faceclust.importers.plan import ImportPlan
    from faceclust.library.library import Library
    from faceclust.people.events import Event

_MAX_IMPORT_LINES = 30  # lines of a kind


def print_import_json(library: Library, plan: ImportPlan, events: Sequence[Event], dry_run: bool) -> None:
    """As JSON: the whole plan, and the ids of the events that were entered."""
    record = asdict(plan) | {"people": plan.faces_per_person}
    print_json({"library": str(library.root), "dry_run": dry_run, "entered": [event.id for event in events]} | record)


def print_import_summary(plan: ImportPlan, events: Sequence[Event], dry_run: bool, verbose: bool) -> None:
    """In lines: what was read, who was named, what was left and why."""
    click.echo(_describe_sources(plan))
    _print_limited(
        [f"  {name}: {format_count(faces, 'face')}" for name, faces in plan.faces_per_person.items()], verbose
    )
    _print_entered_names(plan, events, dry_run)
    if plan.upright:
        click.echo(f"on {format_count(len(plan.upright), 'photo')} the boxes fit the upright picture and were taken so")
    if plan.turned:
        click.echo(
            f"{format_count(len(plan.turned), 'photo')} were turned after the faces were marked; the boxes with them"
        )
    if plan.conflicts:
        click.echo(f"{format_count(len(plan.conflicts), 'conflict')}, nothing was entered of them:")
        _print_limited(
            [f"  {c.photo}: {' or '.join(c.names)}: {c.why} ({', '.join(c.where)})" for c in plan.conflicts], verbose
        )
    _print_names_not_entered(plan, verbose)


def _describe_sources(plan: ImportPlan) -> str:
    told = {
        SIDECARS: ("XMP sidecar", None),
        EMBEDDED: ("photo", None),
        PICASA: ("folder of Picasa's", "folders of Picasa's"),
        TABLE: ("table", None),
    }
    found = [format_count(plan.read[kind], *words) for kind, words in told.items() if plan.read.get(kind)]
    looked = f"{format_count(plan.read['photos'], 'photo')} looked into; " if plan.read.get("photos") else ""
    return f"{looked}people are named in {', '.join(found) or 'none of the files'}"


def _print_entered_names(plan: ImportPlan, events: Sequence[Event], dry_run: bool) -> None:
    known = f"; {format_count(plan.known, 'face')} had the name already" if plan.known else ""
    entered = len({face.face_id for event in events for face in event.faces})
    if dry_run and plan.namings:
        people = format_count(len(plan.faces_per_person), "person", "people")
        would = f"{format_count(len(plan.namings), 'face')} of {people}"
        click.echo(f"would be entered: {would}{known}")
    elif events:
        people = format_count(len({event.name for event in events}), "person", "people")
        click.echo(f"entered: {format_count(entered, 'face')} of {people}{known}")
        click.echo(f"all of it is taken back by: faceclust undo {len(events)}")
    else:
        click.echo(f"nothing new {'would be' if dry_run else 'was'} entered{known}")


def _print_names_not_entered(plan: ImportPlan, verbose: bool) -> None:
    hint = ":" if verbose else " (-v lists them)"
    if plan.unmatched:
        click.echo(f"{format_count(len(plan.unmatched), 'name')} on no face that was found{hint}")
        if verbose:
            _print_limited([f"  {u.photo}: {u.name}: {u.why} ({u.where})" for u in plan.unmatched], verbose)
    if plan.placeless:
        click.echo(f"{format_count(len(plan.placeless), 'name')} without a place in the photo{hint}")
        if verbose:
            _print_limited([f"  {u.photo}: {u.name}: {u.why} ({u.where})" for u in plan.placeless], verbose)
    if plan.passed_by:
        click.echo(f"{format_count(plan.passed_by, 'region')} without a name")
    if plan.nameless:
        contacts = format_count(len(plan.nameless), "contact")
        click.echo(f"{contacts} of Picasa's without a name here; give its contacts.xml by --contacts")
    if plan.elsewhere:
        click.echo(f"{format_count(len(plan.elsewhere), 'photo')} spoken of that the library does not have{hint}")
        _print_limited([f"  {photo}" for photo in plan.elsewhere] if verbose else [], verbose)
    if plan.unread:
        click.echo(f"{format_count(len(plan.unread), 'file')} could not be read:")
        _print_limited([f"  {unread.where}: {unread.why}" for unread in plan.unread], verbose)


def _print_limited(lines: Iterable[str], verbose: bool) -> None:
    lines = list(lines)
    for line in lines if verbose else lines[:_MAX_IMPORT_LINES]:
        click.echo(printable(line))
    if len(lines) > _MAX_IMPORT_LINES and not verbose:
        click.echo(f"  and {len(lines) - _MAX_IMPORT_LINES:,} more (-v lists all)")
