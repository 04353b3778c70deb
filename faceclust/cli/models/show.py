"""`faceclust models show`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_packs, json_option, print_json
from faceclust.cli.models.common import RADIUS_SOURCES, file_records, installed_size
from faceclust.cli.models.pack_text import describe_pack
from faceclust.cli.terminal.printing import print_lines
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import check_files, install_hint, pack_state

if TYPE_CHECKING:
    from faceclust.packs.pack import Pack


@click.command("show")
@click.argument("name", shell_complete=complete_packs)
@json_option
def command(name: str, as_json: bool) -> None:
    """Show a pack: its licence and terms, its files with hashes and addresses, how it detects and
    embeds faces, the source of its radius, and how `faceclust train` made it, if it did.

    \b
    Examples:
      faceclust models show sface
      faceclust models show buffalo_l --json
    """
    record = _pack_record(load_pack(name))
    if as_json:
        print_json(record)
        return
    print_lines(describe_pack(record))


def _pack_record(pack: Pack) -> dict[str, Any]:
    checks, embedder, detector = check_files(pack), pack.embedder, pack.detector
    state = pack_state(pack, checks)
    template = [[round(float(side), 2) for side in point] for point in embedder.template]
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
        "detector": {
            "kind": detector.kind,
            "long_side": detector.long_side,
            "smallest": detector.smallest,
            **detector.settings,
        },
        "landmarks": detector.landmarks,
        "dimension": embedder.dimension,
        "chip_size": list(embedder.chip_size),
        "colour": embedder.colour,
        "mean": embedder.mean,
        "scale": embedder.scale,
        "template": template if embedder.margin is None else None,
        "margin": embedder.margin,
        "mirror": embedder.mirror,
        "radius": embedder.radius,
        "radius_source": pack.radius_source,
        "radius_in_words": RADIUS_SOURCES[pack.radius_source],
        "files": file_records(checks),
        "training": asdict(pack.training) if pack.training else None,
        "archives": [{"url": archive.url, "sha256": archive.sha256, "size": archive.size} for archive in pack.archives],
    }
