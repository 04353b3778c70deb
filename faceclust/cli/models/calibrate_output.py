"""Calibrate a pack's radius and print the result, for `models calibrate` and `models add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.cli.common import print_json
from faceclust.cli.models.common import RADIUS_SOURCES
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.cli.terminal.table import print_table
from faceclust.errors import FaceclustError
from faceclust.evaluation.labelled_folders import find_labelled_photos
from faceclust.evaluation.radius import UNDERSAMPLED_FACES, UNDERSAMPLED_PEOPLE, find_radius
from faceclust.installer.manifest_text import with_radius
from faceclust.installer.staging import lock_pack, read_manifest_text, save_manifest
from faceclust.packs.registry import load_pack
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.radius import DistanceScore, RadiusEstimate
    from faceclust.packs.pack import Pack

_ROWS_BESIDE_BEST = 4  # rows of the table on each side of the good distances
_HEADINGS = ["distance", "at the new radius", "precision", "recall", "BCubed F", ""]


def calibrate_pack(name: str, folder: Path, workers: int | None, *, dry_run: bool, as_json: bool) -> None:
    """Find a pack's radius on labelled photos, print it, and save it in the pack's manifest.

    Raises FaceclustError if the photos set no radius.
    """
    pack = load_pack(name)
    found = find_radius(find_labelled_photos(folder), pack, workers=workers, progress=TerminalProgress())
    may_write = not (dry_run or pack.embedded)
    written = may_write and found.rejection_reason is None
    if written:
        with lock_pack(name):
            path = save_manifest(name, with_radius(read_manifest_text(name), found.radius))
    if as_json:
        print_json(_radius_record(found, pack, written))
    else:
        _print_radius(found, pack)
    if may_write and found.rejection_reason:
        raise FaceclustError(
            f"the radius of {name} stays unchanged: {found.rejection_reason}",
            hint="check the pack's preprocessing, and that each folder holds one person",
        )
    if found.rejection_reason:
        print_line(f"note: this would not set the radius: {found.rejection_reason}", err=True)
    if written:
        print_line(f"wrote {path}: radius {found.radius:g}", err=True)
    elif pack.embedded:
        print_line(f"the radius of an embedded pack stays {pack.embedder.radius:g}", err=True)
    else:
        print_line("nothing was written: --dry-run", err=True)


def _print_radius(found: RadiusEstimate, pack: Pack) -> None:
    people = format_count(found.people, "person", "people")
    missing = "a face was found on every photo"
    if found.photos_without_face:
        missing = f"no face found on {format_count(found.photos_without_face, 'photo')}"
    faces = format_count(found.faces, "face")
    print_line(f"{faces} of {people}, {found.people_with_several:,} of them with at least two; {missing}")
    print_table(_HEADINGS, [_score_cells(score, found) for score in _scores_near_best(found)])
    middle = f"{found.relative_width:.0%} of the middle, {found.middle:.4f}"
    print_line(f"good distances, squared L2 of unit vectors: {found.low:.4f} to {found.high:.4f} ({middle})")
    before = f"{pack.embedder.radius:g}, {RADIUS_SOURCES[pack.radius_source]}"
    print_line(f"radius: {found.radius:g} makes the middle 1.1 (now {before})")
    if found.is_undersampled:
        print_line(
            f"note: with fewer than {UNDERSAMPLED_PEOPLE:,} people or {UNDERSAMPLED_FACES:,} faces, the best distance "
            "is too large for a large library, which has more people to confuse",
            err=True,
        )


def _score_cells(score: DistanceScore, found: RadiusEstimate) -> list[str]:
    mark = "best" if score is found.best else "good" if found.low <= score.distance <= found.high else ""
    scaled = score.distance * found.radius**2
    return [
        f"{score.distance:.4f}",
        f"{scaled:.3f}",
        f"{score.precision:.3f}",
        f"{score.recall:.3f}",
        f"{score.f:.4f}",
        mark,
    ]


def _scores_near_best(found: RadiusEstimate) -> list[DistanceScore]:
    """The scores around the best ones, few enough for a small table."""
    near = [score for score in found.cuts if found.low * 0.8 <= score.distance <= found.high * 1.2]
    good = [score for score in near if found.low <= score.distance <= found.high]
    step = -(-len(good) // (2 * _ROWS_BESIDE_BEST))
    shown = [score for i, score in enumerate(good) if score is found.best or i % step == 0 or i == len(good) - 1]
    below = [score for score in near if score.distance < found.low][-_ROWS_BESIDE_BEST:]
    above = [score for score in near if score.distance > found.high][:_ROWS_BESIDE_BEST]
    return [*below, *shown, *above]


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
