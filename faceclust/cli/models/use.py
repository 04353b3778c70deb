"""`faceclust models use`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import complete_packs, json_option, library_option, print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.library.model_switch import SwitchPlan
    from faceclust.store.home import LibraryHome


@click.command("use", short_help="Say or choose which models a library uses.")
@click.argument("name", required=False, shell_complete=complete_packs)
@click.option("--default", is_flag=True, help="For all libraries of which nothing else was said.")
@library_option
@json_option
def command(name: str | None, default: bool, library: Path | None, as_json: bool) -> None:
    """Have the library use the models NAME from now on; without NAME, say which it uses, and why.

    The next scan looks at all photos anew with them, and says how long that takes. Names stay with
    their faces. What other models found is kept, so that going back takes no time.

    \b
    Examples:
      faceclust models use
      faceclust models use sface
      faceclust models use dlib --default
    """
    if default and library:
        raise UsageError("--default is for all libraries, --library for one", hint="leave one of them out")
    home = None if default else _find_home(library, required=name is not None)
    if name is None:
        _print_pack_in_use(home, as_json)
    else:
        _switch_pack(name, home, as_json)


command.reads_no_config = True  # type: ignore[attr-defined] # it writes there, and mends what is wrong


def _find_home(library: Path | None, *, required: bool) -> LibraryHome | None:
    from faceclust.errors import NoLibraryError
    from faceclust.store.find_library import find_library
    from faceclust.store.home import LibraryHome

    try:
        root = find_library(library)
    except NoLibraryError as error:
        if library:
            raise
        if required:
            raise NoLibraryError(str(error), hint=f"{error.hint}; --default chooses for all libraries") from error
        return None
    click.echo(printable(f"library: {root}"), err=True)
    return LibraryHome(root)


def _print_pack_in_use(home: LibraryHome | None, as_json: bool) -> None:
    from faceclust.catalogue.models_in_use import load_pack_in_use
    from faceclust.errors import PackError
    from faceclust.packs.verify import require_files
    from faceclust.store.settings import pack_in_use

    root = home.root if home else None
    chosen = pack_in_use(root)
    problem = hint = title = None
    try:
        pack = load_pack_in_use(root)
        title = pack.title
        require_files(pack)
    except PackError as error:
        problem, hint = str(error), error.hint
    if as_json:
        record = {"library": str(root) if root else None, "pack": chosen.value, "title": title}
        print_json(record | {"file": str(chosen.file) if chosen.file else None, "problem": problem})
        return
    click.echo(printable(f"{chosen.value}: {title}" if title else chosen.value))
    click.echo(printable(f"as {chosen.file} says") if chosen.file else "no configuration file says otherwise")
    if problem:
        raise PackError(problem, hint)


def _switch_pack(name: str, home: LibraryHome | None, as_json: bool) -> None:
    from faceclust.library.model_switch import plan_switch, with_time_estimate
    from faceclust.packs.registry import load_pack
    from faceclust.packs.verify import require_files
    from faceclust.store.settings import pack_in_use, set_pack

    pack = load_pack(name)
    require_files(pack)
    try:
        before = pack_in_use(home.root if home else None).value
    except UsageError:  # what stands there is no name: it is mended now
        before = None
    plan = with_time_estimate(home, pack, plan_switch(home, pack)) if home else None
    file = set_pack(pack.name, home)
    record = {"pack": pack.name, "before": before, "file": str(file)}
    if as_json:
        costs = {"photos": plan.photos, "anew": len(plan.unscanned), "seconds": plan.estimated_seconds} if plan else {}
        print_json({"library": str(home.root) if home else None, **record, **costs})
        return
    click.echo(f"{pack.name} from now on: {pack.title}")
    if plan:
        _print_switch_cost(plan, pack.name, before)
    else:
        click.echo("for every library of which nothing else was said")
    click.echo(printable(f"wrote {file}"), err=True)


def _print_switch_cost(plan: SwitchPlan, name: str, previous: str | None) -> None:
    from faceclust.scan.model_change import format_duration

    if not plan.unscanned:
        click.echo("all photos known are known by these models" if plan.photos else "next: faceclust scan")
    else:
        click.echo(f"{format_count(len(plan.unscanned), 'photo')} of {plan.photos:,} to be looked at anew", nl=False)
        seconds = plan.estimated_seconds
        estimate = f", {format_duration(seconds)} by a try on {plan.sample_size}" if seconds else ""
        click.echo(f"{estimate}; next: faceclust scan")
    if previous != name and previous in plan.other_packs:
        if plan.unscanned:
            click.echo("until that is done the library has nothing to show; then: faceclust cluster")
        click.echo(f"names stay; what {previous} found is kept, to go back at once: faceclust models use {previous}")
