"""`faceclust library`: list, move, dissolve."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, print_json
from faceclust.cli.lazy_group import CommandGroup
from faceclust.cli.terminal.printing import can_ask, confirm, print_line
from faceclust.cli.terminal.table import print_table
from faceclust.errors import CacheError, UsageError
from faceclust.library.relocation import EndPlan, end_library, move_library, plan_end
from faceclust.store.find_library import default_library, find_library, known_libraries
from faceclust.store.home import LibraryHome
from faceclust.text.plural import format_count

#: How the state of a library without a scan is shown.
_STATE_WORDS = {"ok": "not scanned yet", "missing": "missing", "unreadable": "unreadable"}


@click.group("library", cls=CommandGroup)
def command() -> None:
    """List the libraries on this computer, move one to an outer or inner folder, or end one.

    Photos are never touched.

    \b
    Examples:
      faceclust library list
      faceclust library move ~/Pictures/2019 ~/Pictures
      faceclust library dissolve ~/Downloads
    """


@command.command("list", short_help="List the libraries scanned on this computer.")
@json_option
def list_command(as_json: bool) -> None:
    """List the libraries scanned on this computer, the last one first.

    A star marks the default: the library of commands that are typed outside of all libraries.

    \b
    Example:
      faceclust library list
    """
    default = default_library()
    libraries = [_library_record(root, default) for root in known_libraries()]
    if as_json:
        print_json({"libraries": libraries})
    elif libraries:
        rows = [
            (f"{'*' if one['default'] else ' '} {one['library']}", one["last_scanned"] or _STATE_WORDS[one["state"]])
            for one in libraries
        ]
        print_table(("  library", "last scanned"), rows, left=(0, 1))
    else:
        print_line("no library has been scanned yet; next: faceclust scan FOLDER")


def _library_record(root: Path, default: Path | None) -> dict[str, Any]:
    try:
        home = LibraryHome(root)
        state = "ok" if home.exists() else "missing"
        scanned = home.last_scan_time() if state == "ok" else None
    except (CacheError, OSError):
        state, scanned = "unreadable", None
    return {"library": str(root), "default": root == default, "state": state, "last_scanned": scanned}


@command.command("move", short_help="Make an outer or inner folder the library.")
@click.argument("library", metavar="FROM", type=click.Path(path_type=Path))
@click.argument("target", metavar="TO", type=click.Path(path_type=Path))
@json_option
def move_command(library: Path, target: Path, as_json: bool) -> None:
    """Make TO, a folder around the library FROM or in it, the library in its place.

    All names are kept. What scans found outside of TO is deleted; the photos stay. If TO is a library
    already, it takes over the names, and FROM becomes an ordinary folder of it. Names of photos
    outside of TO stay in the journal, and are back if you move the library out again.

    \b
    Examples:
      faceclust library move ~/Pictures/2019 ~/Pictures     the whole instead of a part
      faceclust library move ~ ~/Pictures                   a part instead of the whole
    """
    root = find_library(library)
    answers = move_library(root, target)
    moved = target.resolve()
    if as_json:
        print_json({"library": str(moved), "from": str(root), "answers": answers})
    else:
        print_line(f"the library is now {moved}, with {format_count(answers, 'answer')}")
        print_line(f"next: faceclust scan {shlex.quote(str(moved))}")


@command.command("dissolve", short_help="End a library; photos and answers are kept.")
@click.argument("library", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@json_option
def dissolve_command(library: Path, yes: bool, as_json: bool) -> None:
    """Make the library FOLDER an ordinary folder again: delete what faceclust keeps there.

    Your answers are moved to a file in your data folder, from which `faceclust journal --merge FILE`
    brings the names back. Photos, sidecars, albums and reports stay, and so do other libraries in
    or around FOLDER.

    \b
    Examples:
      faceclust library dissolve ~/Downloads
      faceclust library dissolve ~/Downloads --yes
    """
    root = find_library(library)
    plan = plan_end(root)
    if not yes:
        _require_confirmation(plan, may_ask=not as_json)
    kept = end_library(plan)
    if as_json:
        record = {"files": list(map(str, plan.files)), "answers": plan.answers}
        print_json({"library": str(root), **record, "kept_in": str(kept) if kept else None})
        return
    print_line(f"{root} is no library any more; {format_count(len(plan.files), 'file')} deleted")
    if kept:
        print_line(f"{format_count(plan.answers, 'answer')} kept in {kept}")
        merge = f"faceclust journal --merge {shlex.quote(str(kept))} --library {shlex.quote(str(root))}"
        print_line(f"to bring them back after a scan: {merge}")


def _require_confirmation(plan: EndPlan, *, may_ask: bool) -> None:
    print_line(f"to be deleted: {format_count(len(plan.files), 'file')} that faceclust keeps in {plan.root}")
    if plan.config:
        print_line(f"among them your options: {plan.config}")
    print_line(f"kept: your photos, and {format_count(plan.answers, 'answer')} about people, in a file elsewhere")
    if not (may_ask and can_ask()):
        raise UsageError("dissolve asks for confirmation and needs a terminal", hint="add --yes")
    if not confirm("End this library?"):
        raise click.Abort


for _each in command.commands.values():
    _each.reads_no_config = True  # type: ignore[attr-defined] # in the user's file, `library` is the default library
