"""`faceclust evaluate pairs`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.cli.common import json_option, print_json
from faceclust.cli.evaluate.all_pairs_output import all_pairs_record, print_all_pairs
from faceclust.cli.evaluate.options import pack_option, workers_option
from faceclust.cli.evaluate.pairs_output import draw_pair_scores, pair_scores_record, print_pair_scores
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.evaluation.main_faces import find_main_faces
from faceclust.evaluation.metrics.verification import AllPairsScores
from faceclust.evaluation.score_pairs import PairScores, load_pairs, score_all_pairs, score_pairs
from faceclust.files.names import PRECISIONS
from faceclust.store.precision import quantise_embeddings


@click.command("pairs")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The pairs: LFW's pairs.txt, or a .bin file from InsightFace, which holds its own pictures.",
)
@click.option("--mirror/--no-mirror", default=None, help="Average with the mirror image. Default: as the pack does.")
@click.option("--detect", is_flag=True, help="Run the detector on the pictures of a .bin file, which are cropped.")
@click.option(
    "--missing",
    type=click.Choice(["errors", "leave-out"]),
    default="errors",
    show_default=True,
    help="How pairs count if a photo has no face.",
)
@click.option("--verbose", "-v", is_flag=True, help="List the photos without a face.")
@click.option(
    "--kept-as",
    "precision",
    type=click.Choice(PRECISIONS),
    default="float32",
    show_default=True,
    help="Round the embeddings as scan --precision stores them.",
)
@pack_option
@workers_option
@plot_option
@json_option
def command(folder: Path | None, file: Path, verbose: bool, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Measure verification: do two photos show one person, or two people?

    FOLDER holds <person>/<person>_0001.jpg as in LFW, with any photo suffix. The threshold for
    each fold of the pairs is chosen on the other folds. At squared L2 distances below a threshold,
    VAL is the share of pairs of one person that are accepted, and FAR that of pairs of two people.
    Measured faces are cached, so another run takes a second.

    Lists are too short for the low FAR that a large library needs. So TAR, the same as VAL, is
    measured over all pairs of the listed photos as well, down to FAR 1e-6. Beside it stands the
    mean of each person's own TAR: people with many photos dominate the pairs.

    \b
    Examples:
      faceclust evaluate pairs lfw --pairs pairs.txt
      faceclust evaluate pairs lfw --pairs pairs.txt --no-mirror --plot roc.png
      faceclust evaluate pairs --pairs cfp_fp.bin --json
    """
    plot_file = resolve_plot_file(plot)
    scores, all_pairs, settings = _measure_pairs(folder, file, **options)
    if as_json:
        record = {**pair_scores_record(scores), "all_pairs": all_pairs and all_pairs_record(all_pairs)}
        print_json({"folder": folder, "pairs_file": file, **settings, **record})
    else:
        print_pair_scores(scores, verbose)
        if all_pairs:
            print_line()
            print_all_pairs(all_pairs)
    write_plot(plot_file, lambda stream, suffix: draw_pair_scores(stream, suffix, scores, file.name))


def _measure_pairs(
    folder: Path | None,
    file: Path,
    *,
    pack: str | None,
    mirror: bool | None,
    precision: str,
    detect: bool,
    missing: str,
    workers: int | None,
) -> tuple[PairScores, AllPairsScores | None, dict[str, Any]]:
    """Measure the faces; score the listed pairs and all pairs; return the settings for `--json` as well."""
    models = load_pack_in_use(None, pack)
    radius = models.embedder.radius
    mirrored = models.embedder.mirror if mirror is None else mirror
    pairs = load_pairs(folder, file)
    aligned = pairs.aligned and not detect
    if aligned:
        print_line("the pictures are taken as crops by ArcFace's template (--detect runs the detector)", err=True)
    faces = find_main_faces(pairs.pictures, models, aligned=aligned, workers=workers, progress=TerminalProgress())
    quantise = partial(quantise_embeddings, precision=precision, radius=radius)
    exclude_missing = missing == "leave-out"
    scores = score_pairs(pairs, faces, radius, mirrored=mirrored, exclude_missing=exclude_missing, quantise=quantise)
    all_pairs = score_all_pairs(pairs, faces, radius, mirrored=mirrored, quantise=quantise)
    settings = {"pack": models.name, "mirror": mirrored, "precision": precision, "detect": not aligned}
    return scores, all_pairs, settings
