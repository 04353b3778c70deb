"""`faceclust models show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.terminal.text import printable

if TYPE_CHECKING:
    from faceclust.packs.pack import Pack


@click.command("show", short_help="Show all there is to know of a pack.")
@click.argument("name", shell_complete=complete_packs)
@json_option
def command(name: str, as_json: bool) -> None:
    """Show a pack: its files, their hashes and addresses, its licence and what follows from it,
    how faces are found and embedded, and where its radius comes from.

    \b
    Examples:
      faceclust models show sface
      faceclust models show buffalo_l --json
    """
    from faceclust.packs.registry import load_pack

    record = _pack_record(load_pack(name))
    if as_json:
        print_json(record)
        return
    for line in _pack_lines(record):
        click.echo(printable(line))


def _pack_record(pack: Pack) -> dict[str, Any]:
    from faceclust.cli.models.common import RADIUS_SOURCES, file_records, installed_size
    from faceclust.packs.verify import check_files, install_hint, pack_state

    checks, face, eye = check_files(pack), pack.embedder, pack.detector
    state = pack_state(pack, checks)
    return {
        "name": pack.name,
        "title": pack.title,
        "state": state,
        "todo": None if state in ("embedded", "installed") else install_hint(pack),
        "licence": pack.licence,
        "terms": pack.terms,
        "commercial": pack.commercial,
        "folder": str(pack.folder),
        "size": installed_size(pack),
        "detector": {"kind": eye.kind, "long_side": eye.long_side, "smallest": eye.smallest, **eye.settings},
        "landmarks": eye.landmarks,
        "dimension": face.dimension,
        "chip_size": list(face.chip_size),
        "colour": face.colour,
        "mean": face.mean,
        "scale": face.scale,
        "template": None if face.margin is not None else [[round(float(n), 2) for n in p] for p in face.template],
        "margin": face.margin,
        "mirror": face.mirror,
        "radius": face.radius,
        "radius_source": pack.radius_source,
        "radius_in_words": RADIUS_SOURCES[pack.radius_source],
        "files": file_records(checks),
        "archives": [{"url": archive.url, "sha256": archive.sha256, "size": archive.size} for archive in pack.archives],
    }


def _pack_lines(pack: dict[str, Any]) -> list[str]:
    from faceclust.cli.models.pack_text import describe_pack

    return describe_pack(pack)
