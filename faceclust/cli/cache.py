"""`faceclust cache`: check, prune, clear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.lazy_group import CommandGroup
from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import UsageError
from faceclust.library.maintenance import check_caches, clear_caches, plan_clear, prune_caches

if TYPE_CHECKING:
    from faceclust.library.maintenance import Deletion, PrunePlan


@click.group("cache", cls=CommandGroup)
def command() -> None:
    """Check the files kept of a library, and tidy them up. Photos and names are never touched.

    \b
    Examples:
      faceclust cache check
      faceclust cache prune --dry-run
      faceclust cache clear
    """


@command.command("check", short_help="Look whether every file is whole and right.")
@click.option("--hash", "hash_photos", is_flag=True, help="Read the photos again and compare their contents.")
@library_option
@json_option
@click.pass_context
def check_command(ctx: click.Context, hash_photos: bool, library: Path | None, as_json: bool) -> None:
    """Look whether every file kept of a library is whole and right.

    Each problem is one line that says what to do; the exit code is then 1. With --hash the
    photos are read as well, which shows damage by a failing disk.

    \b
    Examples:
      faceclust cache check
      faceclust cache check --hash --json
    """
    found = check_caches(open_library(library), hash_photos=hash_photos)
    print_json(found) if as_json else _print_check_result(found)
    ctx.exit(1 if found["problems"] else 0)


@command.command("prune", short_help="Remove what is known of photos that are gone.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would go, and write nothing.")
@library_option
@json_option
@click.pass_context
def prune_command(ctx: click.Context, dry_run: bool, library: Path | None, as_json: bool) -> None:
    """Remove what is known of photos and folders that are gone, and files that are left over.

    What you said stays, also of these photos: names come back with them.

    \b
    Examples:
      faceclust cache prune --dry-run
      faceclust cache prune
    """
    opened = open_library(library)
    done = prune_caches(opened, dry_run=dry_run)
    if as_json:
        print_json({"library": str(opened.root), **_prune_record(done), "written": not dry_run})
    else:
        _print_prune_result(done, dry_run)
    ctx.exit(1 if done.failures else 0)


@command.command("clear", short_help="Delete all that can be made again.")
@click.option("--pack", metavar="NAME", help="Only what these models made.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@library_option
@json_option
@click.pass_context
def clear_command(ctx: click.Context, pack: str | None, yes: bool, library: Path | None, as_json: bool) -> None:
    """Delete all files that can be made again from the photos: caches, groupings, face pictures.

    people.jsonl, what you said, is kept: after `faceclust scan` and `faceclust cluster` names
    are back. Scanning anew takes as long as the first time.

    \b
    Examples:
      faceclust cache clear
      faceclust cache clear --pack dlib --yes
    """
    if as_json and not yes:
        raise UsageError("--json does not ask", hint="add --yes")
    opened = open_library(library)
    going = plan_clear(opened, pack)
    if not as_json:
        _print_deletions("to go", going)
        if opened.home.journal.exists():
            click.echo(f"kept: {printable(str(opened.home.journal))}, what you said; and your photos")
    if not yes and going and not _confirm_deletion():
        click.echo("nothing was deleted")
        ctx.exit(1)
    clear_caches(opened, going)
    if as_json:
        print_json({"library": str(opened.root), "files": _deletion_records(going)})
    else:
        click.echo("cleared; next: faceclust scan" if going else "there is nothing to clear")


def _confirm_deletion() -> bool:
    try:
        return click.confirm("Delete these files?")
    except click.Abort:  # the end of the input; who cannot be asked has --yes
        click.echo()
        return False


def _print_check_result(result: dict[str, Any]) -> None:
    for problem in result["problems"]:
        click.echo(f"{printable(problem['where'])}: {printable(problem['what'])}; {problem['todo']}")
    click.echo(
        f"{format_count(result['caches'], 'cache')}: {format_count(result['photos'], 'photo')}, "
        f"{format_count(result['faces'], 'face')}"
    )
    if result["hashed"]:
        click.echo(f"{format_count(result['hashed'], 'photo')} read again and compared")
    if result["missing"] or result["changed"]:
        click.echo(
            f"since the last scan: {format_count(result['missing'], 'photo')} gone, {result['changed']:,} changed"
        )
    click.echo(format_count(len(result["problems"]), "problem") if result["problems"] else "all is well")


def _print_prune_result(plan: PrunePlan, dry_run: bool) -> None:
    rows = sum(map(len, plan.stale_photos.values()))
    if rows:
        click.echo(f"{'would go' if dry_run else 'gone'}: what was known of {format_count(rows, 'photo')}")
    _print_deletions("would go" if dry_run else "gone", plan.files)
    for failure in plan.failures:
        click.echo(f"not done: {printable(failure)}", err=True)
    click.echo(
        f"{'would free' if dry_run else 'freed'} {plan.size:,} bytes" if rows or plan.files else "nothing to prune"
    )
    if dry_run:
        click.echo("nothing was written: --dry-run")


def _print_deletions(verb: str, files: list[Deletion]) -> None:
    kinds: dict[str, list[int]] = {}
    for going in files:
        kinds.setdefault(going.kind, []).append(going.size)
    for kind, sizes in kinds.items():
        click.echo(f"{verb}: {format_count(len(sizes), kind.removesuffix('s'), kind)}, {sum(sizes):,} bytes")


def _prune_record(plan: PrunePlan) -> dict[str, Any]:
    return {
        "photos": {str(path): photos for path, photos in plan.stale_photos.items()},
        "files": _deletion_records(plan.files),
        "bytes": plan.size,
        "failed": plan.failures,
    }


def _deletion_records(files: list[Deletion]) -> list[dict[str, Any]]:
    return [{"file": str(going.path), "kind": going.kind, "bytes": going.size} for going in files]
