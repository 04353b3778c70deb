"""`faceclust crops`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import (
    complete_names,
    face_filter_options,
    json_option,
    library_option,
    open_library,
    print_json,
)
from faceclust.cli.terminal.printing import print_failure, print_line
from faceclust.library.destinations import refuse_link_in_library
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.files.library_roots import LibraryRoots
    from faceclust.library.crops import CropPlan, WrittenCrops
    from faceclust.outputs.crops.plan import PlannedCrop


@click.command("crops")
@click.argument("name", metavar="NAME", shell_complete=complete_names)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--sheet", is_flag=True, help="Also write contact sheets of 48 faces, with dates and ages.")
@click.option("--size", metavar="PX", type=int, default=256, show_default=True, help="Side of the pictures, at most.")
@click.option(
    "--margin", type=float, default=0.3, show_default=True, help="Margin on each side, as a fraction of the face."
)
@click.option("--format", type=click.Choice(["jpeg", "png"]), default="jpeg", show_default=True, help="File format.")
@face_filter_options
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and write nothing.")
@library_option
@json_option
def command(name: str, out: Path, dry_run: bool, library: Path | None, as_json: bool, **options: Any) -> None:
    """Write each face of NAME as a picture into the folder OUT, upright and with the eyes level.

    NAME is a name or a group number. Files are named by date, as in "2019-05-17 14.03.22 party.jpg":
    sorted by name, they show a person growing up. Faces are cut from the original photos and never
    enlarged, so small ones give smaller pictures. Copies of a photo count once.

    Run it again to update OUT, with one folder for each person. Only files that faceclust wrote there,
    and that are unchanged since, are ever removed or replaced. Other users cannot enter a new OUT.

    The exit code is 0 if faces were written, 1 if none was, and 2 for a mistake.

    \b
    Examples:
      faceclust crops Anna ~/anna
      faceclust crops Anna ~/anna --sheet --confirmed --size 512
      faceclust crops 12 ~/group-12 --since 2019 --dry-run
    """
    refuse_link_in_library(out)
    opened = open_library(library)
    plan = opened.plan_crops(name, out, **options)
    written = None if dry_run or not (plan.crops or plan.remove) else opened.write_crops(plan)
    if as_json:
        print_json({"library": str(opened.root), **_plan_record(plan, written, dry_run)})
    else:
        _print_plan(plan, written, dry_run, opened.roots)
    if not (plan.crops if written is None else written.crops):
        click.get_current_context().exit(1)


def _plan_record(plan: CropPlan, written: WrittenCrops | None, dry_run: bool) -> dict[str, Any]:
    """The pictures for `--json`. Their paths are relative to "out"."""
    done = written or plan
    return {
        "out": str(plan.out),
        "person": plan.label,
        "dry_run": dry_run,
        "crops": [_crop_record(crop) for crop in done.crops],
        "sheets": list(done.sheets),
        "removed": list(plan.remove),
        "failed": [
            {"photo": failure.place.photo, "face_id": failure.place.face_id, "reason": failure.reason}
            for failure in (written.failed if written else ())
        ],
        "left_alone": list(written.left_alone if written else ()),
        "copies": plan.copies,
        "without_face": plan.without_face,
    }


def _crop_record(crop: PlannedCrop) -> dict[str, Any]:
    place = crop.place
    return {
        "path": crop.path,
        "photo": place.photo,
        "frame_time": place.frame_time,
        "face_id": place.face_id,
        "box": dict(zip(("left", "top", "right", "bottom"), place.pixel_box, strict=True)),
        "taken_at": place.taken_at.isoformat() if place.taken_at else None,
        "age": list(crop.ages) if crop.ages else None,
    }


def _print_plan(plan: CropPlan, written: WrittenCrops | None, dry_run: bool, roots: LibraryRoots) -> None:
    """Print the counts, and what is left out; with `dry_run`, also each file."""
    if dry_run:
        for path in plan.remove:
            print_line(f"remove {path}")
        for crop in plan.crops:
            print_line(f"{'keep  ' if crop.path in plan.unavailable else 'write '} {crop.path} <- {crop.place.photo}")
        for path in plan.sheets:
            print_line(f"write  {path}")
    away = roots.count_away(crop.place.photo for crop in plan.crops)
    for failure in written.failed if written else ():
        if roots.is_here(failure.place.photo):
            print_failure(f"no picture of a face: {failure.place.photo}: {failure.reason}")
    for path in written.left_alone if written else ():
        print_failure(f"left alone: {plan.out / path}: faceclust did not write it, or it has changed since")
    left_out = [(plan.copies, "face on a copy of a photo", "faces on copies of photos")]
    left_out += [(plan.without_face, "photo without a face to be seen", "photos without a face to be seen")]
    for count, one, several in left_out:
        if count:
            print_line(f"left out: {count:,} {one if count == 1 else several}", err=True)
    if away:
        faces = format_count(away, "face")
        print_line(f"{faces} on a disk that is away: pictures from earlier runs stay", err=True)
    if not plan.crops:
        print_line(f"no faces of {plan.label} match", err=True)
    elif written is None:
        print_line(f"{plan.out}: {_count_pictures(len(plan.crops), len(plan.sheets))} of {plan.label} would be written")
    else:
        counts = _count_pictures(len(written.crops), len(written.sheets))
        print_line(f"{plan.out}: {counts} of {plan.label}; {written.new:,} new or changed, {written.removed:,} removed")


def _count_pictures(crops: int, sheets: int) -> str:
    return format_count(crops, "face") + (f" and {format_count(sheets, 'contact sheet')}" if sheets else "")
