"""`faceclust models list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.cli.terminal.text import printable


@click.command("list", short_help="List the models there are.")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """List the packs of models: what each is, where it stands, and what its licence allows.

    A star marks the one in use. A pack is embedded, installed, damaged, incomplete, can be
    pulled, or has to be added from files you have (add only). The size of one that can be pulled
    is that of the download.

    \b
    Examples:
      faceclust models list
      faceclust models list --json
    """
    from faceclust.cli.models.common import describe_allowed_use, pack_name_for_library
    from faceclust.packs.registry import pack_names

    used = pack_name_for_library(library)
    rows = [_pack_row(name, used) for name in sorted({*pack_names(), used})]
    if as_json:
        print_json({"in_use": used, "packs": rows})
        return
    click.echo(click.style("  name        numbers       size  state          licence allows", bold=True))
    for row in rows:
        mark, size = "*" if row["in_use"] else " ", row["size_in_words"]
        allows = "?" if row["commercial"] is None else describe_allowed_use(row["commercial"])
        numbers = row["dimension"] or "?"
        click.echo(f"{mark} {row['name']:<10}  {numbers:>7}  {size:>9}  {row['state']:<13}  {allows}")
        click.echo(f"    {printable(row['title'])}")
    click.echo("faceclust models show NAME says more")


def _pack_row(name: str, name_in_use: str) -> dict[str, Any]:
    from faceclust.cli.models.common import download_size, format_size
    from faceclust.errors import PackError
    from faceclust.packs.registry import load_pack
    from faceclust.packs.verify import check_files, pack_state

    row: dict[str, Any] = {"name": name, "in_use": name == name_in_use}
    try:
        pack = load_pack(name)
    except PackError as error:
        unknown = dict.fromkeys(("licence", "terms", "commercial", "dimension", "size"))
        return row | {"title": str(error), **unknown, "size_in_words": "?", "state": "unreadable"}
    size = download_size(pack)
    return row | {
        "title": pack.title,
        "licence": pack.licence,
        "terms": pack.terms,
        "commercial": pack.commercial,
        "dimension": pack.embedder.dimension,
        "size": size,
        "size_in_words": format_size(size),
        "state": pack_state(pack, check_files(pack)),
    }
