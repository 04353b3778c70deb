"""`faceclust cache`: check, prune, clear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.lazy_group import CommandGroup
from faceclust.cli.terminal.printing import confirm, print_failure, print_line
from faceclust.errors import UsageError
from faceclust.library.maintenance import check_caches, clear_caches, plan_clear, prune_caches
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.maintenance import Deletion, PrunePlan


@click.group("cache", cls=CommandGroup)
def command() -> None:
    """Check and tidy the files of a library. Photos and names are never touched.

    \b
    Examples:
      faceclust cache check
      faceclust cache prune --dry-run
      faceclust cache clear
    """


@command.command("check", short_help="Check that all files of the library are intact.")
@click.option("--hash", "hash_photos", is_flag=True, help="Read the photos again and compare their contents.")
@library_option
@json_option
@click.pass_context
def check_command(ctx: click.Context, hash_photos: bool, library: Path | None, as_json: bool) -> None:
    """Check that all files of the library are intact.

    Each problem is one line that says what to do; the exit code is then 1. With --hash, the photos
    are read as well, which reveals damage by a failing disk.

    \b
    Examples:
      faceclust cache check
      faceclust cache check --hash --json
    """
    result = check_caches(open_library(library), hash_photos=hash_photos)
    print_json(result) if as_json else _print_check_result(result)
    ctx.exit(1 if result["problems"] else 0)


@command.command("prune", short_help="Remove cached data of deleted photos.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be removed, and write nothing.")
@library_option
@json_option
@click.pass_context
def prune_command(ctx: click.Context, dry_run: bool, library: Path | None, as_json: bool) -> None:
    """Remove cached data of deleted photos and folders, and files that are no longer used.

    Your answers are kept, also those about deleted photos: the names return with the photos.

    \b
    Examples:
      faceclust cache prune --dry-run
      faceclust cache prune
    """
    opened = open_library(library)
    plan = prune_caches(opened, dry_run=dry_run)
    if as_json:
        print_json({"library": str(opened.root), **_prune_record(plan), "written": not dry_run})
    else:
        _print_prune_result(plan, dry_run)
    ctx.exit(1 if plan.failures else 0)


@command.command("clear", short_help="Delete everything that can be made again.")
@click.option("--pack", metavar="NAME", help="Only files made with this model pack.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@library_option
@json_option
@click.pass_context
def clear_command(ctx: click.Context, pack: str | None, yes: bool, library: Path | None, as_json: bool) -> None:
    """Delete everything that can be made again from the photos: caches, groupings, face pictures.

    Your answers in people.jsonl are kept: after `faceclust scan` and `faceclust cluster` the names
    are back. The scan takes as long as the first one.

    \b
    Examples:
      faceclust cache clear
      faceclust cache clear --pack dlib --yes
    """
    if as_json and not yes:
        raise UsageError("--json cannot ask for confirmation", hint="add --yes")
    opened = open_library(library)
    deletions = plan_clear(opened, pack)
    if not as_json:
        _print_deletions("to be deleted", deletions)
        if opened.home.journal.exists():
            print_line(f"kept: your answers in {opened.home.journal}, and your photos")
    if not yes and deletions and not _confirm_deletion():
        print_line("nothing was deleted")
        ctx.exit(1)
    clear_caches(opened, deletions)
    if as_json:
        print_json({"library": str(opened.root), "files": _deletion_records(deletions)})
    else:
        print_line("cleared; next: faceclust scan" if deletions else "there is nothing to clear")


def _confirm_deletion() -> bool:
    try:
        return confirm("Delete these files?")
    except click.Abort:  # the input has ended, as in a script without --yes
        print_line()
        return False


def _print_check_result(result: dict[str, Any]) -> None:
    for problem in result["problems"]:
        print_line(f"{problem['where']}: {problem['what']}; {problem['todo']}")
    print_line(
        f"{format_count(result['caches'], 'cache')}: {format_count(result['photos'], 'photo')}, "
        f"{format_count(result['faces'], 'face')}"
    )
    if result["hashed"]:
        print_line(f"{format_count(result['hashed'], 'photo')} read again and compared")
    if result["missing"] or result["changed"]:
        missing = format_count(result["missing"], "photo")
        print_line(f"since the last scan: {missing} deleted, {result['changed']:,} changed")
    if result["away"]:
        print_line(f"{format_count(result['away'], 'photo')} on a disk that is away: not looked for")
    print_line(format_count(len(result["problems"]), "problem") if result["problems"] else "no problems found")


def _print_prune_result(plan: PrunePlan, dry_run: bool) -> None:
    verb = "would remove" if dry_run else "removed"
    photos = sum(map(len, plan.stale_photos.values()))
    if photos:
        print_line(f"{verb}: cached data of {format_count(photos, 'photo')}")
    _print_deletions(verb, plan.files)
    for failure in plan.failures:
        print_failure(f"not removed: {failure}")
    freed = f"{'would free' if dry_run else 'freed'} {plan.size:,} bytes"
    print_line(freed if photos or plan.files else "nothing to prune")
    if dry_run:
        print_line("nothing was written: --dry-run")


def _print_deletions(verb: str, files: list[Deletion]) -> None:
    sizes_by_kind: dict[str, list[int]] = {}
    for deletion in files:
        sizes_by_kind.setdefault(deletion.kind, []).append(deletion.size)
    for kind, sizes in sizes_by_kind.items():
        print_line(f"{verb}: {format_count(len(sizes), kind.removesuffix('s'), kind)}, {sum(sizes):,} bytes")


def _prune_record(plan: PrunePlan) -> dict[str, Any]:
    return {
        "photos": {str(path): photos for path, photos in plan.stale_photos.items()},
        "files": _deletion_records(plan.files),
        "bytes": plan.size,
        "failed": plan.failures,
    }


def _deletion_records(files: list[Deletion]) -> list[dict[str, Any]]:
    return [{"file": str(deletion.path), "kind": deletion.kind, "bytes": deletion.size} for deletion in files]
