"""`faceclust export --format xmp`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceclust.cli.common import is_in_part_of, json_option, open_library, print_json
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.printing import print_failure, print_line
from faceclust.cli.terminal.text import limit_lines
from faceclust.errors import UsageError
from faceclust.files.user_folders import expand_user
from faceclust.library.destinations import refuse_link_in_library
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.outputs.sidecars import SidecarPlan

F = TypeVar("F", bound=Callable[..., Any])
_BESIDE_PHOTOS = "sidecar"
_MAX_LINES = 20  # of one kind


def xmp_options(function: F) -> F:
    """Add the options of `--format xmp`."""
    for option in (
        json_option,
        click.option("--dry-run", "-n", is_flag=True, help="XMP: show what would be written, and write nothing."),
        click.option("--all-faces", is_flag=True, help="XMP: include the boxes of unnamed faces."),
        click.option(
            "--names", type=click.Choice(["file.jpg.xmp", "file.xmp"]), help="XMP: naming scheme of the sidecars."
        ),
        click.option(
            "--where",
            type=click.Path(),
            metavar="sidecar|OUT",
            help="XMP: write beside the photos, or into the same folder tree below OUT.",
        ),
    ):
        function = option(function)
    return function


def refuse_xmp_options(file_format: str, options: dict[str, Any]) -> None:
    """Raises UsageError if an option of sidecars was typed with a table format."""
    given = next(
        (name for name, value in options.items() if value and name != "as_json" and is_on_command_line(name)), None
    )
    if given:
        raise UsageError(
            f"--{given.replace('_', '-')} cannot be used with the format {file_format}", hint="add --format xmp"
        )


def export_xmp(
    library: Path | None,
    out: Path | None,
    where: str | None,
    names: str | None,
    confirmed: bool,
    folder: Path | None,
    all_faces: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write the sidecars, or print what would be written. Exit with 1 if one was skipped."""
    if out is not None:
        raise UsageError("--out cannot be used with the format xmp", hint="--where OUT names a folder for the sidecars")
    if not where:
        raise UsageError(
            "--format xmp needs --where",
            hint="--where sidecar writes beside your photos, --where FOLDER into the same tree below that folder",
        )
    if where != _BESIDE_PHOTOS:
        refuse_link_in_library(Path(where))
    opened = open_library(library)
    if where == _BESIDE_PHOTOS and not (dry_run or folder or library) and is_in_part_of(opened.root):
        raise UsageError(
            f"this folder is only a part of the library {opened.root}",
            hint=f"sidecars in this part: --folder . ; in the whole library: --library {shlex.quote(str(opened.root))}",
        )
    plan = opened.plan_xmp(
        None if where == _BESIDE_PHOTOS else Path(where),
        names=names or "file.jpg.xmp",
        confirmed=confirmed,
        all_faces=all_faces,
        folder=folder,
    )
    if not dry_run:
        plan = opened.write_xmp(plan)
    base = str(opened.root if where == _BESIDE_PHOTOS else expand_user(where).absolute())
    if as_json:
        print_json({"library": str(opened.root), "where": base, "dry_run": dry_run} | _sidecar_plan_record(plan))
    else:
        _print_sidecar_plan(plan, base, dry_run, bool(opened.people()) or all_faces)
    if plan.with_action("leave"):
        click.get_current_context().exit(1)


def _sidecar_plan_record(plan: SidecarPlan) -> dict[str, Any]:
    record: dict[str, Any] = {
        action: [
            {"photo": sidecar.photo, "sidecar": str(sidecar.path), "people": sidecar.people}
            for sidecar in plan.with_action(action)
        ]
        for action in ("make", "change", "same")
    }
    record["left"] = [
        {"photo": sidecar.photo, "sidecar": str(sidecar.path), "why": sidecar.reason}
        for sidecar in plan.with_action("leave")
    ]
    record["gone"], record["away"] = list(plan.missing_photos), plan.away
    record["other_names"] = [
        {"photo": sidecar.photo, "ours": ours, "theirs": theirs}
        for sidecar in plan.sidecars
        for ours, theirs in sidecar.conflicts
    ]
    return record


def _print_sidecar_plan(plan: SidecarPlan, destination: str, dry_run: bool, has_names: bool) -> None:
    if dry_run:
        for sidecar in plan.with_action("make", "change"):
            print_line(f"{sidecar.action:6}  {sidecar.path}  {', '.join(sidecar.people)}".rstrip())
    conflicts = [
        f"{sidecar.photo}: named {theirs} by another program, {ours} by you; not changed"
        for sidecar in plan.sidecars
        for ours, theirs in sidecar.conflicts
    ]
    skipped = [f"skipped: {left.path}: {left.reason}" for left in plan.with_action("leave")]
    missing = [f"missing photo: {photo}" for photo in plan.missing_photos]
    for lines in (conflicts, skipped, missing):
        for line in limit_lines(lines, _MAX_LINES, "--json lists all"):
            print_failure(line)
    made, changed, same = (len(plan.with_action(action)) for action in ("make", "change", "same"))
    would = "would be " if dry_run else ""
    print_line(
        f"{destination}: {format_count(len(plan.sidecars), 'sidecar')}; {would}made {made:,}, "
        f"{would}changed {changed:,}, unchanged {same:,}, skipped {len(skipped):,}"
    )
    if plan.away:
        print_failure(f"left out: {format_count(plan.away, 'photo')} on a disk that is away")
    if not has_names:
        print_line("nobody has a name yet; next: faceclust label")
