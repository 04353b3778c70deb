"""`faceclust models pull`: the one command that uses the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.models.common import format_size, require_licence_agreement
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.installer.pull import files_to_pull, pull_pack, size_to_pull
from faceclust.packs.registry import load_pack
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.packs.pack import Pack


@click.command("pull")
@click.argument("name", shell_complete=complete_packs)
@click.option(
    "--url", metavar="ADDRESS", envvar="FACECLUST_MODELS_URL", help="A mirror: a folder that holds the files."
)
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be downloaded, and download nothing.")
@click.option("--yes", "-y", is_flag=True, help="Accept the licence terms.")
@json_option
def command(name: str, url: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Download the files of a pack, and check each against its SHA-256 before it is used.

    An interrupted download resumes when the command is run again. Proxies are taken from
    HTTPS_PROXY, ALL_PROXY and NO_PROXY. A mirror, also set by $FACECLUST_MODELS_URL, has the
    files at ADDRESS/NAME/FILE or ADDRESS/FILE, or is the address of the file itself.

    \b
    Examples:
      faceclust models pull sface
      faceclust models pull buffalo_l --url https://mirror.example/models --yes
    """
    pack = load_pack(name)
    files = files_to_pull(pack)
    size = size_to_pull(pack, files)
    if files and not dry_run:
        _download_pack(pack, url, yes=yes, may_ask=not as_json)
    result: dict[str, Any] = {
        "name": name,
        "folder": str(pack.folder),
        "files": [str(pack.path(file.name)) for file in files],
        "bytes": size,
        "written": bool(files) and not dry_run,
    }
    print_json(result) if as_json else _print_pull_result(pack, result, dry_run)


def _download_pack(pack: Pack, url: str | None, *, yes: bool, may_ask: bool) -> None:
    require_licence_agreement(pack, yes=yes, may_ask=may_ask)
    files = files_to_pull(pack)
    total = sum(archive.size for archive in pack.archives)
    total += sum(file.size or 0 for file in files if file.member is None)
    try:
        pull_pack(pack, mirror=url, progress=TerminalProgress())
    except KeyboardInterrupt:
        remaining = files_to_pull(pack)
        if size_to_pull(pack, remaining) < total or len(remaining) < len(files):
            print_line("the downloaded part is kept: run the command again to resume", err=True)
        raise


def _print_pull_result(pack: Pack, result: dict[str, Any], dry_run: bool) -> None:
    if not result["files"]:
        print_line(
            f"{pack.name} is {'part of faceclust' if pack.embedded else 'installed already'}: nothing to download"
        )
    elif dry_run:
        print_line(f"would download {format_size(result['bytes'])} into {pack.folder}")
        print_line("nothing was written: --dry-run")
        return
    else:
        print_line(f"{pack.name}: {format_count(len(result['files']), 'file')} in {pack.folder}")
    print_line(f"next: faceclust models use {pack.name}")
