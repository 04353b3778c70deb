"""`faceclust models verify`."""

from __future__ import annotations

from typing import Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json, printable


@click.command("verify", short_help="Check the files of models against their hashes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_packs)
@json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Read every file of these packs, default all that are here, and compare it with its SHA-256.

    Exits with 1 where a file is damaged or missing.

    \b
    Examples:
      faceclust models verify
      faceclust models verify sface dlib
    """
    from faceclust.packs.known import pack_names

    found = [_verified(name, named=bool(names)) for name in names or pack_names()]
    found = [pack for pack in found if names or pack["state"] not in ("can be pulled", "add only")]
    wrong = [pack["name"] for pack in found if not pack["well"]]
    if as_json:
        print_json({"packs": found, "wrong": wrong})
    for pack in [] if as_json else found:
        click.echo(printable(f"{pack['name']}: {pack['state']}{'; ' + pack['todo'] if pack['todo'] else ''}"))
        for file in pack["files"]:
            click.echo(printable(f"    {file['state']:<8} {file['path']}"))
    ctx.exit(1 if wrong else 0)


def _verified(name: str, *, named: bool) -> dict[str, Any]:
    """A pack and its files; one that was `named` has to be here."""
    from faceclust.cli.models.shared import file_records
    from faceclust.errors import PackError
    from faceclust.packs.known import load_pack
    from faceclust.packs.verify import check_files, how_to_get, state_of

    try:
        pack = load_pack(name)
    except PackError as error:
        if named:
            raise
        return {"name": name, "state": "unreadable", "well": False, "todo": str(error), "files": []}
    checks = check_files(pack)
    state = state_of(pack, checks)
    well = state in ("embedded", "installed")
    files = file_records(checks)
    return {"name": name, "state": state, "well": well, "todo": None if well else how_to_get(pack), "files": files}
