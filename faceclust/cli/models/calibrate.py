"""`faceclust models calibrate`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.cli.common import complete_packs, json_option
from faceclust.cli.models.calibrate_output import calibrate_pack
from faceclust.files.user_folders import expand_user


@click.command("calibrate")
@click.argument("pack", metavar="PACK", shell_complete=complete_packs)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--workers", "-w", type=click.IntRange(1), help="Number of processes. Default: one a core.")
@click.option("--dry-run", "-n", is_flag=True, help="Measure, and write nothing.")
@json_option
def command(pack: str, folder: Path, workers: int | None, dry_run: bool, as_json: bool) -> None:
    """Find the radius at which a pack groups labelled photos best at the threshold 1.1.

    DIR holds a folder for each person, as Labeled Faces in the Wild does, with the person's face in
    the middle of each photo. It needs some hundred people, many with several photos. The faces are
    grouped as `cluster` does it, at many distances. The middle of the distances with the best
    BCubed F becomes 1.1. If the best is poor, or a wide range does as well, nothing is written
    and the exit code is 1. The radius of an embedded pack never changes.

    \b
    Examples:
      faceclust models calibrate sface ~/lfw
      faceclust models calibrate dlib ~/lfw --dry-run
    """
    calibrate_pack(pack, expand_user(folder), workers, dry_run=dry_run, as_json=as_json)
