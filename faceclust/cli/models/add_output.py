"""The output of `faceclust models add`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faceclust.cli.models.common import describe_allowed_use, format_levels
from faceclust.cli.terminal.printing import print_line

if TYPE_CHECKING:
    from faceclust.installer.add import AddedPack


def print_added_pack(added: AddedPack, dry_run: bool, *, err: bool = False) -> None:
    """Print what was installed or would be; on stderr with `err`."""
    pack, embedder = added.pack, added.pack.embedder
    print_line(f"{pack.name}: {pack.title}", err=err)
    print_line(f"licence: {pack.licence} (allows: {describe_allowed_use(pack.commercial)})", err=err)
    if pack.terms:
        print_line(pack.terms, err=err)
    values = f"{embedder.colour.upper()}, (value − {format_levels(embedder.mean)}) / {format_levels(embedder.scale)}"
    width, height = embedder.chip_size
    print_line(f"detector {pack.detector.kind}; chips of {width}×{height} pixels, {values}", err=err)
    trial = added.trial
    print_line(f"tested: {trial.dimension} dimensions, {trial.milliseconds:.1f} ms of CPU time a face", err=err)
    if trial.warning:
        print_line(f"warning: {trial.warning}", err=True)
    for name, source in added.files.items():
        print_line(f"{'would copy' if dry_run else 'copied'} {source} to {name}", err=err)
    if pack.radius_source == "none":
        print_line(
            "radius unknown: the threshold 1.1 has no meaning until the pack is calibrated on labelled photos", err=err
        )
    if dry_run:
        print_line("nothing was written: --dry-run", err=err)


def added_pack_record(added: AddedPack, *, written: bool) -> dict[str, Any]:
    """The same for `--json`."""
    pack = added.pack
    return {
        "pack": pack.name,
        "folder": str(added.folder),
        "licence": pack.licence,
        "commercial": pack.commercial,
        "detector": pack.detector.kind,
        "dimension": added.trial.dimension,
        "milliseconds": round(added.trial.milliseconds, 2),
        "warning": added.trial.warning or None,
        "radius": pack.embedder.radius,
        "radius_source": pack.radius_source,
        "files": {name: str(path) for name, path in added.files.items()},
        "written": written,
    }
