"""`faceclust models remove`."""

from __future__ import annotations

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.models.common import ask_yes_or_no, pack_name_for_library
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import UsageError
from faceclust.installer.remove import files_to_remove, remove_pack
from faceclust.packs.registry import load_pack
from faceclust.text.plural import format_count


@click.command("remove")
@click.argument("name", shell_complete=complete_packs)
@click.option("--dry-run", "-n", is_flag=True, help="List what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Delete without asking.")
@json_option
def command(name: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete the downloaded or added files of a pack. An embedded pack cannot be removed.

    Names are kept, and so are the faces found with this pack (`faceclust cache clear --pack NAME`
    deletes those). A library that uses the pack needs it again for its next scan.

    \b
    Examples:
      faceclust models remove buffalo_l --dry-run
      faceclust models remove buffalo_l
    """
    if as_json and not (yes or dry_run):
        raise UsageError("--json cannot ask for confirmation", hint="add --yes, or --dry-run to list the files")
    pack = load_pack(name)
    files = files_to_remove(pack)
    if files and pack_name_for_library(None) == name:
        print_line(f"note: {name} is in use here; to choose another: faceclust models use NAME", err=True)
    sizes = {str(path): path.lstat().st_size for path in files}
    if not as_json:
        for path, size in sizes.items():
            print_line(f"{'would delete' if dry_run else 'to delete'}: {path} ({size:,} bytes)")
    if files and not dry_run:
        refusal = UsageError(
            "remove asks for confirmation in a terminal", hint="without a terminal: --yes or --dry-run"
        )
        if not yes and not ask_yes_or_no(f"Delete the files of {name}?", refusal):
            raise click.Abort
        remove_pack(pack)
    if as_json:
        print_json({"name": name, "files": sizes, "bytes": sum(sizes.values()), "written": not dry_run})
    elif not files:
        print_line(f"{name} has no files here")
    elif dry_run:
        print_line("nothing was written: --dry-run")
    else:
        print_line(f"{name}: {format_count(len(files), 'file')} deleted; names and found faces are kept")
