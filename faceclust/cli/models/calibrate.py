"""`faceclust models calibrate`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_packs, json_option


@click.command("calibrate", short_help="Find a pack's radius on labelled photos.")
@click.argument("pack", metavar="PACK", shell_complete=complete_packs)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--workers", "-w", type=click.IntRange(1), help="Processes at work. Default: one a core.")
@click.option("--dry-run", "-n", is_flag=True, help="Measure, and write nothing.")
@json_option
def command(pack: str, folder: Path, workers: int | None, dry_run: bool, as_json: bool) -> None:
    """Find a pack's radius on labelled photos, so that 1.1 groups best.

    DIR holds a folder for each person with photos of that person's face in the middle, as Labeled
    Faces in the Wild has them: some hundred people, many with several photos. The faces are
    grouped as `cluster` does it at many cuts; the middle of the cuts with the best BCubed F
    becomes 1.1. Where the best is bad, or a wide range of cuts does as well, nothing is written, and the
    exit code is 1. The embedded pack's radius stays as it is.

    \b
    Examples:
      faceclust models calibrate sface ~/lfw
      faceclust models calibrate dlib ~/lfw --dry-run
    """
    from faceclust.cli.models.calibrate_output import calibrate_pack

    calibrate_pack(pack, folder.expanduser(), workers, dry_run=dry_run, as_json=as_json)
