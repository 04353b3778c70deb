"""`faceclust evaluate quality`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.cli.common import json_option, print_json
from faceclust.cli.evaluate.options import pack_option, workers_option
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot
from faceclust.cli.evaluate.quality_output import draw_level_curves, level_record, print_levels
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.evaluation.sensitivity import choose_pairs, measure_degradations
from faceclust.text.plural import format_count


@click.command("quality")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The pairs, in the format of LFW's pairs.txt. Default: drawn from the folder.",
)
@click.option("--photos", metavar="N", type=click.IntRange(4), help="Sample at most N photos.")
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
    """Measure verification on photos compressed as JPEG, and on small faces.

    FOLDER holds <person>/<photo>. VAL is the share of pairs of one person that are accepted at a
    threshold that accepts 1 in 1,000 pairs of two people. It is measured on the unchanged photos,
    at six JPEG qualities, and with faces reduced to six widths. This takes about ten times as long
    as measuring the photos once. Measured faces are cached.

    \b
    Examples:
      faceclust evaluate quality lfw --photos 1500
      faceclust evaluate quality lfw --pairs pairs.txt --plot quality.png
    """
    plot_file, models = resolve_plot_file(plot), load_pack_in_use(None, pack)
    pairs = choose_pairs(folder, file, photos)
    same, different = int(pairs.same.sum()), int((~pairs.same).sum())
    photo_count = len(pairs.pictures)
    print_line(f"{format_count(photo_count, 'photo')}: {same:,} pairs of one person, {different:,} of two", err=True)
    levels = list(measure_degradations(pairs, models, workers=workers, progress=TerminalProgress()))
    if as_json:
        run = {"folder": folder, "pairs_file": file, "pack": models.name, "photos": photo_count}
        print_json(run | {"same": same, "different": different, "levels": [level_record(level) for level in levels]})
    else:
        print_levels(levels, photo_count)
    write_plot(plot_file, lambda stream, suffix: draw_level_curves(stream, suffix, levels))
