"""`faceclust forget`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json
from faceclust.cli.terminal.printing import ask, can_ask, print_line
from faceclust.errors import FaceclustError, UsageError
from faceclust.people.names import person_key
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.forgetting import ForgetPlan


@click.command("forget")
@click.argument("name", shell_complete=complete_names)
@click.option("--confirmed", is_flag=True, help="Forget confirmed faces only; suggested ones lose the name.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be removed, and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@library_option
@json_option
def command(name: str, confirmed: bool, dry_run: bool, yes: bool, library: Path | None, as_json: bool) -> None:
    """Remove the person NAME (name, embeddings and face pictures) from all files of the library.

    Shows what would be removed, and asks you to type the name again, because this cannot be
    undone. The positions of the faces are kept, without embeddings, so that no scan finds them
    again. Photos are not touched. Reports, albums and exports are not changed either: delete
    them, or write them again.

    \b
    Examples:
      faceclust forget "Anna Maria" --dry-run
      faceclust forget "Anna Maria"
    """
    if as_json and not (yes or dry_run):
        raise UsageError("--json cannot ask for confirmation", hint="add --yes or --dry-run")
    opened = open_library(library)
    plan = opened.plan_forget(name, confirmed_only=confirmed)
    if not as_json:
        _print_forget_plan(plan, dry_run)
    if not (dry_run or yes):
        _require_typed_name(plan.name)
    if not dry_run:
        opened.forget(plan)
    if as_json:
        print_json({"library": str(opened.root), **_forget_plan_record(plan), "written": not dry_run})
    else:
        print_line("nothing was written: --dry-run" if dry_run else "forgotten; next: faceclust cluster")


def _require_typed_name(name: str) -> None:
    if not can_ask():
        raise UsageError("forget asks for confirmation and needs a terminal", hint="add --yes or --dry-run")
    typed = ask("This cannot be undone. To continue, type the name")
    if person_key(typed) != person_key(name):
        raise FaceclustError(
            f"{typed!r} is not {name}; nothing was removed", hint="run the command again and type the whole name"
        )


def _print_forget_plan(plan: ForgetPlan, dry_run: bool) -> None:
    names = ", ".join(plan.names) or plan.name
    print_line(f"{'would remove' if dry_run else 'to be removed'}: {names}")
    kinds = {
        "confirmed": plan.confirmed,
        "suggested": plan.suggested,
        "on missing photos": plan.missing_count,
    }
    faces = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number) or "none"
    print_line(f"  faces: {faces}; on {format_count(plan.photos, 'photo')} (the photos stay)")
    if plan.kept_suggested:
        print_line(f"  {format_count(plan.kept_suggested, 'suggested face')} will stay, without a name")
    if plan.still_cached:
        print_line(f"  {format_count(plan.still_cached, 'face')} forgotten earlier but still in some caches")
    print_line(
        f"  embeddings from {format_count(len(plan.caches), 'cache')}, {format_count(plan.thumbnails, 'face picture')}"
    )
    print_line(f"  {format_count(plan.journal_lines, 'line')} of {format_count(len(plan.journals), 'journal')}")
    for path in plan.leftovers:
        print_line(f"  the unused file {path}")
    print_line("not touched: your photos; existing reports, albums and exports; backups")
    if plan.enclosing_library:
        print_line(f"not touched: the caches of the enclosing library {plan.enclosing_library}")
    for path in plan.separate_libraries:
        print_line(f"not touched: the files of {path} as a library of its own")


def _forget_plan_record(plan: ForgetPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "names": list(plan.names),
        "confirmed": plan.confirmed,
        "suggested": plan.suggested,
        "waiting": plan.missing_count,
        "staying": plan.kept_suggested,
        "unfinished": plan.still_cached,
        "photos": plan.photos,
        "faces": sorted({face.face_id for face in plan.faces}),
        "thumbnails": plan.thumbnails,
        "answers": plan.journal_lines,
        "caches": list(map(str, plan.caches)),
        "journals": list(map(str, plan.journals)),
        "leftovers": list(map(str, plan.leftovers)),
        "within": str(plan.enclosing_library) if plan.enclosing_library else None,
    }
