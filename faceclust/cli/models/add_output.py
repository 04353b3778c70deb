"""The output of `faceclust models add`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.models.common import format_levels
from faceclust.cli.terminal.text import printable

if TYPE_CHECKING:
    from faceclust.installer.add import AddedPack


def print_added_pack(added: AddedPack, dry_run: bool, *, err: bool = False) -> None:
    """Print what was installed or would be; on stderr with `err`."""
    echo: Callable[[str], None] = lambda text: click.echo(printable(text), err=err)  # noqa: E731
    pack, embedder = added.pack, added.pack.embedder
    echo(f"{pack.name}: {pack.title}")
    echo(f"licence: {pack.licence}{' (not for commercial use)' if pack.commercial is False else ''}")
    if pack.terms:
        echo(pack.terms)
    values = f"{embedder.colour.upper()}, (value − {format_levels(embedder.mean)}) / {format_levels(embedder.scale)}"
    width, height = embedder.chip_size
    echo(f"detector {pack.detector.kind}; chips of {width}×{height} pixels, {values}")
    trial = added.trial
    echo(f"tested: {trial.dimension} dimensions, {trial.milliseconds:.1f} ms a face on one core")
    for name, source in added.files.items():
        echo(f"{'would copy' if dry_run else 'copied'} {source} to {name}")
    if pack.radius_source == "none":
        echo("radius unknown: the threshold 1.1 has no meaning until the pack is calibrated on labelled photos")
    if dry_run:
        echo("nothing was written: --dry-run")


def added_pack_record(added: AddedPack, *, written: bool) -> dict[str, Any]:
    """The same for `--json`."""
    pack = added.pack
    return {
        "pack": pack.name,
        "folder": str(added.folder),
        "detector": pack.detector.kind,
        "dimension": added.trial.dimension,
        "milliseconds": round(added.trial.milliseconds, 2),
        "radius": pack.embedder.radius,
        "radius_source": pack.radius_source,
        "files": {name: str(path) for name, path in added.files.items()},
        "written": written,
    }
