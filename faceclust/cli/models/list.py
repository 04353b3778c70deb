"""`faceclust models list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.cli.models.common import describe_allowed_use, download_size, format_size, pack_name_for_library
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.cli.terminal.table import table_lines
from faceclust.errors import PackError
from faceclust.packs.registry import load_pack, pack_names
from faceclust.packs.verify import check_files, pack_state


@click.command("list")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """List the packs of models with their size, state and allowed use.

    A star marks the pack in use. The state is one of: embedded, installed, missing (from this
    build), damaged, incomplete, can be pulled, or add only (from files you have). The size of a pack
    that can be pulled is that of its download.

    \b
    Examples:
      faceclust models list
      faceclust models list --json
    """
    in_use = pack_name_for_library(library)
    packs = [_pack_record(name, in_use) for name in sorted({*pack_names(), in_use})]
    if as_json:
        print_json({"in_use": in_use, "packs": packs})
        return
    heading, *lines = table_lines(
        ["  name", "dimension", "size", "state", "licence allows"],
        [_pack_cells(pack) for pack in packs],
        left=(0, 3, 4),
    )
    print_line(heading, bold=True)
    for line, pack in zip(lines, packs, strict=True):
        print_lines([line, f"    {pack['title']}"])
    print_line("details: faceclust models show NAME")


def _pack_cells(pack: dict[str, Any]) -> list[str]:
    allowed_use = "?" if pack["commercial"] is None else describe_allowed_use(pack["commercial"])
    name = f"{'*' if pack['in_use'] else ' '} {pack['name']}"
    return [name, str(pack["dimension"] or "?"), pack["size_in_words"], pack["state"], allowed_use]


def _pack_record(name: str, name_in_use: str) -> dict[str, Any]:
    record: dict[str, Any] = {"name": name, "in_use": name == name_in_use}
    try:
        pack = load_pack(name)
    except PackError as error:
        unknown = dict.fromkeys(("licence", "terms", "commercial", "dimension", "size"))
        return record | {"title": str(error), **unknown, "size_in_words": "?", "state": "unreadable"}
    size = download_size(pack)
    return record | {
        "title": pack.title,
        "licence": pack.licence,
        "terms": pack.terms,
        "commercial": pack.commercial,
        "dimension": pack.embedder.dimension,
        "size": size,
        "size_in_words": format_size(size),
        "state": pack_state(pack, check_files(pack)),
    }
