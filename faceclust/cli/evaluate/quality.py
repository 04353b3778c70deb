"""`faceclust evaluate quality`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, print_json
from faceclust.cli.evaluate.options import pack_option, workers_option
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot
from faceclust.cli.terminal.text import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.sensitivity import DegradationResult


@click.command("quality", short_help="What JPEG and small faces cost, on labelled photos.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Which pairs, as LFW's pairs.txt has them. Default: drawn from the folder.",
)
@click.option("--photos", metavar="N", type=click.IntRange(4), help="Take so many photos at most: a sample.")
@pack_option
@workers_option
@plot_option
@json_option
def command(
    folder: Path,
    file: Path | None,
    photos: int | None,
    pack: str | None,
    workers: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure how well people are told apart on photos saved as JPEG, and by small faces.

    FOLDER holds <person>/<photo>. VAL is the share of pairs of one person that are accepted where
    1 pair of two people in 1,000 is. It is measured on the photos as they are, at six JPEG
    qualities, and with faces reduced to six widths. It takes some ten times as long as looking
    at the photos once; what was measured is kept.

    \b
    Examples:
      faceclust evaluate quality lfw --photos 1500
      faceclust evaluate quality lfw --pairs pairs.txt --plot quality.png
    """
    from faceclust.catalogue.models_in_use import load_pack_in_use
    from faceclust.cli.evaluate.quality_output import draw_level_curves, level_record, print_levels
    from faceclust.cli.terminal.progress import TerminalProgress
    from faceclust.evaluation.sensitivity import choose_pairs, measure_degradations

    target, models = resolve_plot_file(plot), load_pack_in_use(None, pack)
    pairs = choose_pairs(folder, file, photos)
    one, two = int(pairs.same.sum()), int((~pairs.same).sum())
    said = f"{format_count(len(pairs.pictures), 'photo')}: {one:,} pairs of one person, {two:,} of two"
    click.echo(said, err=True)
    levels: list[DegradationResult] = list(
        measure_degradations(pairs, models, workers=workers, progress=TerminalProgress())
    )
    if as_json:
        run: dict[str, Any] = {"folder": folder, "pairs_file": file, "pack": models.name, "photos": len(pairs.pictures)}
        print_json(run | {"same": one, "different": two, "levels": [level_record(level) for level in levels]})
    else:
        print_levels(levels, len(pairs.pictures))
    write_plot(target, lambda stream, ending: draw_level_curves(stream, ending, levels))
