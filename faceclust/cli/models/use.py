"""`faceclust models use`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.cli.common import complete_packs, json_option, library_option, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import ConfigReadError, NoLibraryError, PackError, UsageError
from faceclust.library.model_switch import plan_switch, with_time_estimate
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import require_files
from faceclust.scan.model_change import format_duration
from faceclust.store.find_library import enclosing_library, find_library, resolve_folder
from faceclust.store.home import LibraryHome
from faceclust.store.settings import pack_in_use, set_pack

if TYPE_CHECKING:
    from faceclust.library.model_switch import SwitchPlan


@click.command("use")
@click.argument("name", required=False, shell_complete=complete_packs)
@click.option("--default", is_flag=True, help="For all libraries without a choice of their own.")
@library_option
@json_option
def command(name: str | None, default: bool, library: Path | None, as_json: bool) -> None:
    """Choose the pack NAME for a library. Without NAME, show the pack in use and the file that sets it.

    Without a library, choose it for all of them, as with --default. A folder that is named with --library
    may be scanned later.

    The next scan examines all photos again with the new pack; the command estimates how long that
    takes. Names stay with their faces. Faces found with other packs are kept, so switching back
    takes no time.

    \b
    Examples:
      faceclust models use
      faceclust models use sface
      faceclust models use dlib --default
    """
    if default and library:
        raise UsageError("--default and --library cannot be combined", hint="leave one of them out")
    home = None if default else _find_home(library)
    if name is None:
        _print_pack_in_use(home, as_json)
    else:
        _switch_pack(name, home, as_json)


command.reads_no_config = True  # type: ignore[attr-defined] # it repairs an invalid choice in the file


def _find_home(library: Path | None) -> LibraryHome | None:
    """Find the library whose pack is meant: a folder that is named may be scanned later. None if no library is
    named and none is known: the default is meant then. Raises UsageError for a part of a library."""
    try:
        root = find_library(library)
    except NoLibraryError:
        if library is None:
            return None
        root = resolve_folder(library)
        if enclosing_library(root) is not None:
            raise
    print_line(f"library: {root}", err=True)
    return LibraryHome(root)


def _print_pack_in_use(home: LibraryHome | None, as_json: bool) -> None:
    root = home.root if home else None
    choice = pack_in_use(root)
    problem = hint = title = None
    try:
        pack = load_pack_in_use(root)
        title = pack.title
        require_files(pack)
    except PackError as error:
        problem, hint = str(error), error.hint
    if as_json:
        record = {"library": str(root) if root else None, "pack": choice.value, "title": title}
        print_json(record | {"file": str(choice.file) if choice.file else None, "problem": problem})
        return
    print_line(f"{choice.value}: {title}" if title else choice.value)
    print_line(f"set in {choice.file}" if choice.file else "the default: no configuration file sets a pack")
    if problem:
        raise PackError(problem, hint)


def _switch_pack(name: str, home: LibraryHome | None, as_json: bool) -> None:
    pack = load_pack(name)
    require_files(pack)
    try:
        before = pack_in_use(home.root if home else None).value
    except ConfigReadError:
        raise
    except UsageError:  # an invalid choice, which this one replaces
        before = None
    plan = with_time_estimate(home, pack, plan_switch(home, pack)) if home else None
    file = set_pack(pack.name, home)
    record = {"pack": pack.name, "before": before, "file": str(file)}
    if as_json:
        costs = {"photos": plan.photos, "anew": len(plan.unscanned), "seconds": plan.estimated_seconds} if plan else {}
        print_json({"library": str(home.root) if home else None, **record, **costs})
        return
    print_line(f"{'this library now uses' if home else 'the default pack is now'} {pack.name}: {pack.title}")
    if plan:
        _print_switch_cost(plan, pack.name, before, f"faceclust scan {shlex.quote(str(home.root))}" if home else "")
    print_line(f"wrote {file}", err=True)


def _print_switch_cost(plan: SwitchPlan, name: str, previous: str | None, scan: str) -> None:
    rescanned = len(plan.unscanned)
    if rescanned:
        time = ""
        if plan.estimated_seconds:
            time = f", in {format_duration(plan.estimated_seconds)} (estimated from {plan.sample_size})"
        print_line(f"{rescanned:,} of {plan.photos:,} photos will be rescanned with {name}{time}; next: {scan}")
    else:
        print_line(f"all photos are scanned with {name} already" if plan.photos else f"next: {scan}")
    if previous != name and previous in plan.other_packs:
        if rescanned:
            print_line("until then the library has no people to show; after the scan: faceclust cluster")
        print_line(f"names and the faces found with {previous} are kept; to go back: faceclust models use {previous}")
