"""`faceclust models verify`."""

from __future__ import annotations

from typing import Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.terminal.text import printable


@click.command("verify", short_help="Check the files of models against their hashes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_packs)
@json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Read every file of these packs, and compare it with its SHA-256. Default: all packs that
    files or a manifest are here of, and the one in use.

    Exits with 1 where a file is damaged or missing.

    \b
    Examples:
      faceclust models verify
      faceclust models verify sface dlib
    """
    from faceclust.cli.models.common import pack_name_for_library
    from faceclust.packs.registry import pack_names, user_manifest_path

    found = [_verify_pack(name, required=bool(names)) for name in names or pack_names()]
    if not names:  # of those that come with the program only what is here, or should be
        used = pack_name_for_library(None)
        away = ("can be pulled", "add only")
        found = [
            pack
            for pack in found
            if pack["state"] not in away or pack["name"] == used or user_manifest_path(pack["name"]).is_file()
        ]
    wrong = [pack["name"] for pack in found if not pack["well"]]
    if as_json:
        print_json({"packs": found, "wrong": wrong})
    for pack in [] if as_json else found:
        click.echo(printable(f"{pack['name']}: {pack['state']}{'; ' + pack['todo'] if pack['todo'] else ''}"))
        for file in pack["files"]:
            click.echo(printable(f"    {file['state']:<8} {file['path']}"))
    ctx.exit(1 if wrong else 0)


def _verify_pack(name: str, *, required: bool) -> dict[str, Any]:
    """A pack and its files; one that was `named` has to be here."""
    from faceclust.cli.models.common import file_records
    from faceclust.errors import PackError
    from faceclust.packs.registry import load_pack
    from faceclust.packs.verify import check_files, install_hint, pack_state

    try:
        pack = load_pack(name)
    except PackError as error:
        if required:
            raise
        return {"name": name, "state": "unreadable", "well": False, "todo": str(error), "files": []}
    checks = check_files(pack)
    state = pack_state(pack, checks)
    well = state in ("embedded", "installed")
    files = file_records(checks)
    return {"name": name, "state": state, "well": well, "todo": None if well else install_hint(pack), "files": files}
