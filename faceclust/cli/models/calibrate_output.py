"""Finding a pack's radius, and telling what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import print_json
from faceclust.cli.models.common import RADIUS_SOURCES
from faceclust.cli.terminal.text import format_count
from faceclust.errors import FaceclustError

if TYPE_CHECKING:
    from faceclust.evaluation.radius import DistanceScore, RadiusEstimate
    from faceclust.packs.pack import Pack

_ROWS_BESIDE_BEST = 4  # of the table, on each side of the best cuts


def calibrate_pack(name: str, folder: Path, workers: int | None, *, dry_run: bool, as_json: bool) -> None:
    """Measure a pack's radius on labelled photos, tell it, and keep it. Raises FaceclustError."""
    from faceclust.cli.terminal.progress import TerminalProgress
    from faceclust.evaluation.labelled_folders import find_labelled_photos
    from faceclust.evaluation.radius import find_radius
    from faceclust.installer.manifest_text import with_radius
    from faceclust.installer.staging import lock_pack, read_manifest_text, save_manifest
    from faceclust.packs.registry import load_pack

    pack = load_pack(name)
    found = find_radius(find_labelled_photos(folder), pack, workers=workers, progress=TerminalProgress())
    wanted = not (dry_run or pack.embedded)
    kept = wanted and found.rejection_reason is None
    if kept:
        with lock_pack(name):
            path = save_manifest(name, with_radius(read_manifest_text(name), found.radius))
    if as_json:
        print_json(_radius_record(found, pack, kept))
    else:
        _print_radius(found, pack)
    if wanted and found.rejection_reason:
        raise FaceclustError(
            f"{name} keeps its radius: {found.rejection_reason}",
            hint="is it fed right, and are the folders one person each?",
        )
    if found.rejection_reason:
        click.echo(f"note: that would set no radius: {found.rejection_reason}", err=True)
    if kept:
        click.echo(f"wrote {path}: radius {found.radius:g}", err=True)
    elif pack.embedded:
        click.echo(f"the radius of the embedded models stays {pack.embedder.radius:g}", err=True)
    else:
        click.echo("nothing was written: --dry-run", err=True)


def _print_radius(found: RadiusEstimate, pack: Pack) -> None:
    click.echo(f"{format_count(found.faces, 'face')} of {format_count(found.people, 'person', 'people')}, ", nl=False)
    click.echo(f"{found.people_with_several:,} of them with several; {_describe_photos_without_face(found)}")
    click.echo(f"{'cut, unit vectors':>18} {'at this radius':>15} {'precision':>10} {'recall':>7} {'BCubed F':>9}")
    for cut in _cuts_near_best(found):
        mark = " best" if cut is found.best else " as good" if found.low <= cut.distance <= found.high else ""
        at = cut.distance * found.radius**2
        click.echo(f"{cut.distance:>18.4f} {at:>15.3f} {cut.precision:>10.3f} {cut.recall:>7.3f} {cut.f:>9.4f}{mark}")
    middle = f"{found.relative_width:.0%} of the middle, {found.middle:.4f}"
    click.echo(f"as good as the best: {found.low:.4f} to {found.high:.4f} ({middle})")
    before = f"{pack.embedder.radius:g}, {RADIUS_SOURCES[pack.radius_source]}"
    click.echo(f"radius: {found.radius:g} makes the middle 1.1 (now {before})")
    if found.is_undersampled:
        from faceclust.evaluation.radius import UNDERSAMPLED_FACES, UNDERSAMPLED_PEOPLE

        click.echo(
            f"note: with fewer than {UNDERSAMPLED_PEOPLE:,} people or {UNDERSAMPLED_FACES:,} faces the best cut "
            f"is too wide for a large "
            "library: there is nobody to confuse",
            err=True,
        )


def _describe_photos_without_face(found: RadiusEstimate) -> str:
    return (
        f"no face found on {format_count(found.photos_without_face, 'photo')}"
        if found.photos_without_face
        else "a face was found on every photo"
    )


def _cuts_near_best(found: RadiusEstimate) -> list[DistanceScore]:
    """The cuts about the best ones, few enough for a small table."""
    near = [cut for cut in found.cuts if found.low * 0.8 <= cut.distance <= found.high * 1.2]
    inside = [cut for cut in near if found.low <= cut.distance <= found.high]
    outside = [cut for cut in near if cut not in inside]
    every = -(-len(inside) // (2 * _ROWS_BESIDE_BEST))
    inside = [cut for i, cut in enumerate(inside) if cut is found.best or i % every == 0 or i == len(inside) - 1]
    below = [cut for cut in outside if cut.distance < found.low][-_ROWS_BESIDE_BEST:]
    above = [cut for cut in outside if cut.distance > found.high][:_ROWS_BESIDE_BEST]
    return [*below, *inside, *above]


def _radius_record(found: RadiusEstimate, pack: Pack, written: bool) -> dict[str, Any]:
    return {
        "pack": pack.name,
        "radius": found.radius,
        "radius_before": pack.embedder.radius,
        "as_good": [found.low, found.high],
        "best": found.best.distance,
        "faces": found.faces,
        "people": found.people,
        "people_with_several": found.people_with_several,
        "photos_without_face": found.photos_without_face,
        "too_few": found.is_undersampled,
        "doubt": found.rejection_reason,
        "cuts": [vars(cut) for cut in found.cuts],
        "written": written,
    }
