"""`faceclust models remove`."""

from __future__ import annotations

import sys

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.terminal.text import format_count, printable
from faceclust.errors import UsageError


@click.command("remove", short_help="Delete the files of a pack.")
@click.argument("name", shell_complete=complete_packs)
@click.option("--dry-run", "-n", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def command(name: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete what was downloaded or added of a pack. The embedded one stays.

    Names stay, and so does what these models have found in your photos (`faceclust cache clear
    --pack NAME` deletes that). Libraries that use the pack need it again for a scan.

    \b
    Examples:
      faceclust models remove buffalo_l --dry-run
      faceclust models remove buffalo_l
    """
    from faceclust.cli.models.common import pack_name_for_library
    from faceclust.installer.remove import files_to_remove, remove_pack
    from faceclust.packs.registry import load_pack

    if as_json and not (yes or dry_run):
        raise UsageError("--json does not ask", hint="add --yes, or --dry-run to see what would go")
    pack = load_pack(name)
    files = files_to_remove(pack)
    if files and pack_name_for_library(None) == name:
        click.echo(f"note: {name} is in use here; another: faceclust models use NAME", err=True)
    sizes = {str(path): path.lstat().st_size for path in files}
    for path, size in {} if as_json else sizes.items():
        click.echo(printable(f"{'would go' if dry_run else 'to go'}: {path} ({size:,} bytes)"))
    if files and not dry_run:
        if not yes:
            _confirm_removal(name)
        remove_pack(pack)
    if as_json:
        print_json({"name": name, "files": sizes, "bytes": sum(sizes.values()), "written": not dry_run})
    elif not files:
        click.echo(f"nothing of {name} is here")
    elif dry_run:
        click.echo("nothing was written: --dry-run")
    else:
        click.echo(f"{name}: {format_count(len(files), 'file')} deleted; names stay, and what is known of your photos")


def _confirm_removal(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("remove asks before it does so, and needs a terminal", hint="without one: --yes or --dry-run")
    if not click.confirm(f"Delete the files of {name}?"):
        raise click.Abort
