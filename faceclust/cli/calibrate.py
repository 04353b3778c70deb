"""`faceclust calibrate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.config_files import read_settings
from faceclust.cli.output.histogram import histogram_lines
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.store.calibrations import MAX_THRESHOLD
from faceclust.text.plural import format_count
from faceclust.types import LOCAL_SCALING

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import LibraryCalibration
    from faceclust.library.library import Library


@click.command("calibrate")
@click.option(
    "--far", type=float, default=0.001, show_default=True, help="The largest share of wrong joins, of all pairs."
)
@click.option("--dry-run", "-n", is_flag=True, help="Show the threshold found, and write nothing.")
@click.option("--reset", is_flag=True, help="Remove the calibrated threshold.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, far: float, dry_run: bool, reset: bool, library: Path | None, as_json: bool) -> None:
    """Find the threshold that suits your own people, from the names you confirmed.

    Of all pairs of faces of two people, at most the share --far may end up in one group. This is
    tested on people who had no part in the choice. Within that limit, the threshold rises above
    1.1 only as far as it joins more faces of one person. It is written to the library's
    config.toml, and `faceclust cluster` uses it. At least 29 people with two confirmed faces are
    needed, or 10 for --far 0.01.

    \b
    Examples:
      faceclust calibrate --dry-run
      faceclust calibrate && faceclust cluster
      faceclust calibrate --reset
    """
    opened = open_library(library)
    if reset:
        _reset_calibration(opened, dry_run, as_json)
        return
    calibration = opened.calibrate(far, dry_run=dry_run)
    if as_json:
        record = _library_calibration_record(calibration)
        written = calibration.calibrated.kept and not dry_run
        print_json({"library": str(opened.root), **record, "written": written})
    else:
        _print_library_calibration(opened, calibration, dry_run)
    ctx.exit(0 if calibration.calibrated.kept else 1)


def _reset_calibration(library: Library, dry_run: bool, as_json: bool) -> None:
    exists = library.has_calibration() if dry_run else library.reset_calibration()
    if as_json:
        print_json({"library": str(library.root), "removed": exists, "written": exists and not dry_run})
    elif not exists:
        print_line("there is no calibrated threshold")
    else:
        print_line("would remove the calibrated threshold" if dry_run else "removed the calibrated threshold")
        _print_next_step(library, dry_run)


def _print_library_calibration(library: Library, calibration: LibraryCalibration, dry_run: bool) -> None:
    found = calibration.calibrated
    print_line(f"{format_count(calibration.faces, 'confirmed face')} of {calibration.people} people")
    print_lines(histogram_lines(calibration.distances, found.threshold))
    if not found.kept:
        print_line()
        print_line(f"no threshold keeps wrong joins below {calibration.far:g}; nothing was written")
        print_line("one person may have two names, or a name may be wrong; see: faceclust evaluate library")
        return
    print_line()
    scaling = calibration.local_scaling
    print_line(
        f"threshold {found.threshold:g}" + (f", for --local-scaling {scaling:g}" if scaling != LOCAL_SCALING else "")
    )
    print_line(f"  below {found.lowest:g}: fewer faces of one person are joined")
    if found.highest >= MAX_THRESHOLD:
        print_line(f"  up to {MAX_THRESHOLD:g}, the highest tried: not too many wrong joins")
    else:
        print_line(f"  above {found.highest:g}: more wrong joins than allowed")
    print_line(f"wrong joins, of the pairs of two people: {found.wrong:.5f}, at most {found.bound:.5f} (95 %)")
    print_line(f"  people left out of the choice: {found.held_out:.5f} (allowed: {calibration.far:g})")
    print_line(f"joined, of the pairs of one person: {found.recall:.1%}")
    print_line(f"  people left out of the choice: {found.held_out_recall:.1%}")
    if dry_run:
        print_line("nothing was written: --dry-run")
    else:
        print_line(f"wrote {library.home.config_file}", err=True)
    _print_next_step(library, dry_run)


def _print_next_step(library: Library, dry_run: bool) -> None:
    configured = _configured_threshold(library)
    if configured != "auto":
        print_line(f"note: a configuration file sets threshold = {configured}, which takes precedence")
        print_line("(faceclust config shows it)")
    elif not dry_run:
        print_line("next: faceclust cluster")


def _configured_threshold(library: Library) -> Any:
    """The threshold that the configuration files set for `faceclust cluster`; "auto" if none does."""
    program = click.get_current_context().find_root()
    if program.params.get("no_config"):
        return "auto"
    assert isinstance(program.command, click.Group)
    setting = read_settings(program.command, library.root, "cluster").get(("cluster", "threshold"))
    return setting.value if setting else "auto"


def _library_calibration_record(calibration: LibraryCalibration) -> dict[str, Any]:
    return {
        "far": calibration.far,
        "people": calibration.people,
        "faces": calibration.faces,
        "pairs": calibration.pairs,
        **{
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in asdict(calibration.calibrated).items()
        },
        "distances": {name: values.round(6).tolist() for name, values in vars(calibration.distances).items()},
    }
