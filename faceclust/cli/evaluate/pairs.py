"""`faceclust evaluate pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, print_json
from faceclust.cli.evaluate.options import pack_option, precision_option, workers_option
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot


@click.command("pairs", short_help="Are two photos one person? By the protocol of LFW.")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Which pairs: LFW's pairs.txt, or a .bin file of InsightFace's, which holds its pictures.",
)
@click.option("--mirror/--no-mirror", default=None, help="With the mirror image of each face. Default: as the pack.")
@click.option("--detect", is_flag=True, help="Look for faces in the pictures of a .bin file too: they are cut already.")
@click.option(
    "--missing",
    type=click.Choice(["errors", "leave-out"]),
    default="errors",
    show_default=True,
    help="What pairs are with a photo on which no face is found.",
)
@click.option("--verbose", "-v", is_flag=True, help="List the photos on which no face is found.")
@precision_option
@pack_option
@workers_option
@plot_option
@json_option
def command(
    folder: Path | None, file: Path, missing: str, verbose: bool, plot: Path | None, as_json: bool, **choices: Any
) -> None:
    """Measure how well pairs of photos are told apart: one person, or two?

    FOLDER holds <person>/<person>_0001.jpg, as LFW does, with any ending of photos. For each fold
    of the pairs the threshold is chosen on the others. VAL is the share of pairs of one person that
    are accepted, FAR that of pairs of two people, at squared L2 distances below the threshold. What
    was measured is kept, so another run takes a second.

    \b
    Examples:
      faceclust evaluate pairs lfw --pairs pairs.txt
      faceclust evaluate pairs lfw --pairs pairs.txt --no-mirror --plot roc.png
      faceclust evaluate pairs --pairs cfp_fp.bin --json
    """
    from faceclust.cli.evaluate.options import measure_pairs
    from faceclust.cli.evaluate.pairs_output import pair_scores_record, print_pair_scores
    from faceclust.outputs.plots import draw_roc

    target = resolve_plot_file(plot)
    scores, how = measure_pairs(folder, file, leave_out_missing=missing == "leave-out", **choices)
    if as_json:
        print_json({"folder": folder, "pairs_file": file, **how, **pair_scores_record(scores)})
    else:
        print_pair_scores(scores, verbose)
    marks = [(rate.far, rate.val) for rate in scores.rates if rate.far and rate.val is not None]
    title = f"{file.name}: AUC {scores.auc:.4f}, EER {100 * scores.equal_error_point[0]:.2f} %"
    curve, least = scores.curve, 1 / scores.different
    write_plot(
        target,
        lambda stream, ending: draw_roc(
            stream, ending, curve.far, curve.val, highlighted=marks, min_far=least, title=title
        ),
    )
