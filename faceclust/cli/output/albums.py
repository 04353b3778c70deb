"""The changes that `faceclust albums` made, or would make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faceclust.cli.terminal.printing import print_failure, print_line
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.outputs.albums import AlbumPlan, SkippedPath


def album_plan_record(plan: AlbumPlan, skipped: Sequence[SkippedPath], dry_run: bool) -> dict[str, Any]:
    """The plan for `--json`. Album paths are relative to "out", photo paths to "library"."""
    return {
        "library": str(plan.root),
        "out": str(plan.out),
        "link": plan.kind,
        "dry_run": dry_run,
        "albums": sorted(plan.albums),
        "make": [
            {"path": path, "photo": note.photo, "replace": path in plan.replace}
            for path, note in sorted(plan.make.items())
        ],
        "keep": sorted(plan.keep),
        "remove": sorted(plan.remove),
        "left_alone": [{"path": left.path, "reason": left.reason} for left in (*plan.skipped, *skipped)],
    }


def print_album_plan(plan: AlbumPlan, skipped: Sequence[SkippedPath], dry_run: bool) -> None:
    """Print the counts and the skipped paths; with `dry_run`, also each change."""
    if dry_run:
        for path in plan.remove:
            print_line(f"remove  {path}")
        for path, note in plan.make.items():
            print_line(f"{'replace' if path in plan.replace else 'make   '} {path} -> {note.photo}")
    for left in (*plan.skipped, *skipped):
        print_failure(f"skipped: {plan.out / left.path}: {left.reason}")
    would = "would be " if dry_run else ""
    print_line(
        f"{plan.out}: {format_count(len(plan.albums), 'album')}; {would}made {len(plan.make) - len(skipped):,}, "
        f"{would}removed {len(plan.remove):,}, kept {len(plan.keep):,} ({plan.kind})"
    )
    linked = {note.photo for note in (*plan.make.values(), *plan.keep.values())}
    if plan.roots and (away := plan.roots.count_away(linked)):
        print_line(
            f"{format_count(away, 'photo')} in them {'is' if away == 1 else 'are'} on a disk that is away", err=True
        )
    if not plan.albums:
        print_line("no photos match; name people first (faceclust label) or add --unnamed", err=True)
