"""`faceclust calibrate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.config_files import read_settings
from faceclust.cli.output.histogram import histogram_lines
from faceclust.cli.terminal.text import format_count
from faceclust.store.calibrations import MAX_THRESHOLD

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import LibraryCalibration
    from faceclust.library.library import Library


@click.command("calibrate")
@click.option(
    "--far", type=float, default=0.001, show_default=True, help="Most wrong joins there may be: of all pairs."
)
@click.option("--dry-run", "-n", is_flag=True, help="Say what was found, and write nothing.")
@click.option("--reset", is_flag=True, help="Take the threshold that was found before out again.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, far: float, dry_run: bool, reset: bool, library: Path | None, as_json: bool) -> None:
    """Find the threshold that suits your own people, by the names you have confirmed.

    Of all pairs of faces of two people, at most the share --far may end up in one group; that is
    tried on people who had no part in choosing. Up to there the threshold rises above 1.1 only
    as far as more faces of one person come together by it. It is written to the library's
    config.toml, and `faceclust cluster` goes by it. It takes 29 people with two confirmed faces or
    more; 10 do for --far 0.01.

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
    made = opened.calibrate(far, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "library": str(opened.root),
                **_library_calibration_record(made),
                "written": made.calibrated.kept and not dry_run,
            }
        )
    else:
        _print_library_calibration(opened, made, dry_run)
    ctx.exit(0 if made.calibrated.kept else 1)


def _reset_calibration(library: Library, dry_run: bool, as_json: bool) -> None:
    there = library.has_calibration() if dry_run else library.reset_calibration()
    if as_json:
        print_json({"library": str(library.root), "removed": there, "written": there and not dry_run})
    elif not there:
        click.echo("there is no calibrated threshold")
    else:
        click.echo("the calibrated threshold would go" if dry_run else "the calibrated threshold is gone")
        _print_calibration_next_step(library, dry_run)


def _print_library_calibration(library: Library, calibration: LibraryCalibration, dry_run: bool) -> None:
    found = calibration.calibrated
    click.echo(f"{format_count(calibration.faces, 'confirmed face')} of {calibration.people} people")
    for line in histogram_lines(calibration.distances, found.threshold):
        click.echo(line)
    if not found.kept:
        click.echo(
            f"\nno threshold keeps wrong joins under {calibration.far:g}: are two names one person, or a name wrong?"
        )
        click.echo("see: faceclust evaluate library; nothing was written")
        return
    click.echo(f"\nthreshold {found.threshold:g}")
    click.echo(f"  below {found.lowest:g}: fewer faces of one person come together")
    if found.highest >= MAX_THRESHOLD:
        click.echo(f"  up to {MAX_THRESHOLD:g}, the highest tried, your names speak against none")
    else:
        click.echo(f"  above {found.highest:g}: more wrong joins than asked for")
    click.echo(f"wrong joins, of the pairs of two people: {found.wrong:.5f}, surely under {found.bound:.5f} (95 %)")
    click.echo(f"  of people left out of choosing: {found.held_out:.5f}; asked for: {calibration.far:g}")
    click.echo(f"joined, of the pairs of one person: {found.recall:.1%}")
    click.echo(f"  of people left out of choosing: {found.held_out_recall:.1%}")
    if dry_run:
        click.echo("nothing was written: --dry-run")
    else:
        click.echo(f"wrote {library.home.config_file}", err=True)
    _print_calibration_next_step(library, dry_run)


def _configured_threshold(library: Library) -> float | str:
    """The threshold that a configuration file sets for `faceclust cluster`."""
    root = click.get_current_context().find_root()
    assert isinstance(root.command, click.Group)
    if root.params.get("no_config"):
        return "auto"
    setting = read_settings(root.command, library.root, "cluster").get(("cluster", "threshold"))
    return setting.value if setting else "auto"


def _print_calibration_next_step(library: Library, dry_run: bool) -> None:
    typed = _configured_threshold(library)
    if typed != "auto":
        click.echo(f"a configuration file says threshold = {typed:g}, which goes first (faceclust config shows it)")
    elif not dry_run:
        click.echo("next: faceclust cluster")


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
