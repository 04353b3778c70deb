"""`faceclust models verify`."""

from __future__ import annotations

from typing import Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.models.common import file_records, pack_name_for_library
from faceclust.cli.terminal.printing import print_line
from faceclust.errors import PackError
from faceclust.packs.registry import load_pack, pack_names, user_manifest_path
from faceclust.packs.verify import check_files, install_hint, pack_state

_NOT_INSTALLED = ("can be pulled", "add only")  # states


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_packs)
@json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Compare every file of these packs with its SHA-256.

    Default: the pack in use and all packs with files or a manifest on this machine. The exit
    code is 1 if a file is damaged or missing.

    \b
    Examples:
      faceclust models verify
      faceclust models verify sface dlib
    """
    packs = [_verify_pack(name, required=bool(names)) for name in names or pack_names()]
    if not names:
        in_use = pack_name_for_library(None)
        packs = [
            pack
            for pack in packs
            if pack["state"] not in _NOT_INSTALLED
            or pack["name"] == in_use
            or user_manifest_path(pack["name"]).is_file()
        ]
    wrong = [pack["name"] for pack in packs if not pack["well"]]
    if as_json:
        print_json({"packs": packs, "wrong": wrong})
    else:
        _print_packs(packs)
    ctx.exit(1 if wrong else 0)


def _verify_pack(name: str, *, required: bool) -> dict[str, Any]:
    """Check a pack. An unreadable one is an error if it is `required`."""
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


def _print_packs(packs: list[dict[str, Any]]) -> None:
    for pack in packs:
        print_line(f"{pack['name']}: {pack['state']}{'; ' + pack['todo'] if pack['todo'] else ''}")
        for file in pack["files"]:
            print_line(f"    {file['state']:<8} {file['path']}")
