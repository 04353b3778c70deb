"""`faceclust export --format xmp`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceclust.cli.common import json_option, open_library, print_json
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.outputs.sidecars import SidecarPlan

F = TypeVar("F", bound=Callable[..., Any])
_BESIDE_PHOTOS = "sidecar"
_MAX_LINES = 20  # of one kind, that are not asked for


def xmp_options(function: F) -> F:
    """The options that belong to `--format xmp`."""
    for option in (
        json_option,
        click.option("--dry-run", "-n", is_flag=True, help="XMP: say what would be written, write nothing."),
        click.option("--all-faces", is_flag=True, help="XMP: also the places of faces without a name."),
        click.option("--confirmed", is_flag=True, help="XMP: name only the faces you confirmed."),
        click.option("--names", type=click.Choice(["file.jpg.xmp", "file.xmp"]), help="XMP: how sidecars are called."),
        click.option(
            "--where",
            type=click.Path(),
            metavar="sidecar|OUT",
            help="XMP: beside the photos, or the same tree below OUT.",
        ),
    ):
        function = option(function)
    return function


def refuse_xmp_options(file_format: str, options: dict[str, Any]) -> None:
    """Raises UsageError where a table was asked for with options of sidecars."""
    given = next(
        (name for name, value in options.items() if value and name != "as_json" and is_on_command_line(name)), None
    )
    if given:
        raise UsageError(
            f"--{given.replace('_', '-')} is of no use for {file_format}", hint="it belongs to --format xmp"
        )


def export_xmp(
    library: Path | None,
    out: Path | None,
    where: str | None,
    names: str | None,
    confirmed: bool,
    all_faces: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write the sidecars, or say what would be written; exit code 1 where one was left alone."""
    if out is not None:
        raise UsageError("sidecars go into no file of one name", hint="--where OUT names a folder for them")
    if not where:
        raise UsageError(
            "where are the sidecars to go?",
            hint="--where sidecar puts them beside your photos, --where FOLDER the same tree below that folder",
        )
    opened = open_library(library)
    plan = opened.plan_xmp(
        None if where == _BESIDE_PHOTOS else Path(where),
        names=names or "file.jpg.xmp",
        confirmed=confirmed,
        all_faces=all_faces,
    )
    if not dry_run:
        plan = opened.write_xmp(plan)
    base = str(opened.root if where == _BESIDE_PHOTOS else Path(where).expanduser().absolute())
    if as_json:
        print_json({"library": str(opened.root), "where": base, "dry_run": dry_run} | _sidecar_plan_record(plan))
    else:
        _print_sidecar_plan(plan, base, dry_run, bool(opened.people()) or all_faces)
    if plan.with_action("leave"):
        click.get_current_context().exit(1)


def _sidecar_plan_record(plan: SidecarPlan) -> dict[str, Any]:
    record: dict[str, Any] = {
        action: [{"photo": one.photo, "sidecar": str(one.path), "people": one.people} for one in found]
        for action in ("make", "change", "same")
        for found in [plan.with_action(action)]
    }
    record["left"] = [
        {"photo": one.photo, "sidecar": str(one.path), "why": one.reason} for one in plan.with_action("leave")
    ]
    record["gone"] = list(plan.missing_photos)
    record["other_names"] = [
        {"photo": one.photo, "ours": ours, "theirs": theirs} for one in plan.sidecars for ours, theirs in one.conflicts
    ]
    return record


def _print_sidecar_plan(plan: SidecarPlan, destination: str, dry_run: bool, has_names: bool) -> None:
    if dry_run:
        for one in plan.with_action("make", "change"):
            click.echo(f"{one.action:6}  {printable(str(one.path))}  {', '.join(one.people)}".rstrip())
    others = [
        f"{printable(one.photo)}: another program says {printable(theirs)} where you say {ours}; left so"
        for one in plan.sidecars
        for ours, theirs in one.conflicts
    ]
    left = [f"left alone: {printable(str(one.path))}: {printable(one.reason)}" for one in plan.with_action("leave")]
    gone = [f"not there any more: {printable(photo)}" for photo in plan.missing_photos]
    for lines in (others, left, gone):
        for line in lines[:_MAX_LINES]:
            click.echo(line, err=True)
        if len(lines) > _MAX_LINES:
            click.echo(f"… and {len(lines) - _MAX_LINES:,} more; --json has all", err=True)
    made, changed, same = (len(plan.with_action(action)) for action in ("make", "change", "same"))
    would = "would be " if dry_run else ""
    click.echo(
        f"{destination}: {format_count(len(plan.sidecars), 'sidecar')}; {would}made {made:,}, {would}changed "
        f"{changed:,}, "
        f"kept {same:,}, left alone {len(left):,}"
    )
    if not has_names:
        click.echo("nobody has a name yet; type: faceclust label")
