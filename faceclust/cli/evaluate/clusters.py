"""`faceclust evaluate clusters`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.evaluate.clusters_output import METHOD_TITLES
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot
from faceclust.cli.terminal.text import format_count
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.evaluation.thresholds import LabelledFaces

_FILE = click.Path(path_type=Path)


@click.command("clusters", short_help="How well faces are grouped, by people you know.")
@click.option("--truth", type=_FILE, metavar="FILE", help="A CSV that says who the faces are; or: folders.")
@click.option("--sweep", default="0.9:1.3:0.05", show_default=True, help="Thresholds: from, to, step.")
@click.option(
    "--algorithm", "-a", "algorithms", type=click.Choice(list(METHOD_TITLES)), multiple=True, help="Only this one."
)
@click.option("--embeddings", type=_FILE, metavar="FILE", help="Faces of this .npz or .parquet, not of the library.")
@click.option("--radius", type=click.FloatRange(0, min_open=True), help="The length to give to --embeddings.")
@click.option("--faces", "max_faces", type=click.IntRange(2), metavar="N", help="Whole people by lot, some N faces.")
@click.option("--allow-same-photo", is_flag=True, help="Two faces of a photo may be one person.")
@plot_option
@library_option
@json_option
def command(
    truth: Path | None,
    sweep: str,
    algorithms: tuple[str, ...],
    embeddings: Path | None,
    radius: float | None,
    max_faces: int | None,
    allow_same_photo: bool,
    plot: Path | None,
    library: Path | None,
    as_json: bool,
) -> None:
    """Score groupings of faces whose people are known: BCubed, pairwise, NMI, V-measure.

    Every face is grouped, as `faceclust cluster` does it before anybody has a name; those the truth
    tells of are scored. It is a CSV with face_id and person, or with photo, left, top, right,
    bottom and name; or "folders", where photos lie in folders named after who is on them. Of
    --embeddings the labels may lie in the file. What is best by a measure is marked *.

    \b
    Examples:
      faceclust evaluate clusters --truth who.csv
      faceclust evaluate clusters --truth folders --sweep 0.6:1.6:0.05 -a average
      faceclust evaluate clusters --embeddings faces.npz --json
    """
    from faceclust.cli.evaluate.clusters_output import bcubed_curves, cuts_record, print_cuts
    from faceclust.cli.terminal.progress import TerminalProgress
    from faceclust.evaluation.thresholds import parse_thresholds, score_groupings
    from faceclust.outputs.plots import draw_threshold_curves

    thresholds, target = parse_thresholds(sweep), resolve_plot_file(plot)
    labelled = _load_labelled_faces(truth, embeddings, radius, library)
    labelled = labelled.sample(max_faces) if max_faces else labelled
    algorithms = tuple(dict.fromkeys(algorithms)) or tuple(METHOD_TITLES)
    _warn_if_slow(len(labelled.faces), algorithms)
    options = {"allow_same_photo": allow_same_photo}
    scores = list(score_groupings(labelled, algorithms, thresholds, TerminalProgress(), **options))
    print_json(cuts_record(labelled, scores)) if as_json else print_cuts(labelled, scores)
    write_plot(target, lambda stream, ending: draw_threshold_curves(stream, ending, bcubed_curves(scores)))


def _load_labelled_faces(
    truth: Path | None, embeddings: Path | None, radius: float | None, library: Path | None
) -> LabelledFaces:
    from faceclust.catalogue.models_in_use import load_pack_in_use
    from faceclust.evaluation.embedding_files import label_saved_faces, read_embedding_file
    from faceclust.evaluation.ground_truth import label_library_faces

    if embeddings is None:
        if truth is None:
            raise UsageError("nothing says who the faces are", hint="name a --truth FILE, or --truth folders")
        if radius is not None:
            raise UsageError("--radius is for --embeddings", hint="a library's embeddings have that of its models")
        return label_library_faces(open_library(library), truth)
    pack = open_library(library).pack if library else load_pack_in_use(None)
    saved = read_embedding_file(embeddings, radius, pack.embedder.radius)
    if saved.norm is None or abs(saved.norm - saved.radius) > 0.01 * saved.radius:
        was = "of many lengths" if saved.norm is None else f"of length {saved.norm:.3g}"
        click.echo(f"embeddings {was} brought to {saved.radius:.3g}; --radius says another", err=True)
    return label_saved_faces(saved, truth)


def _warn_if_slow(faces: int, algorithms: tuple[str, ...]) -> None:
    from faceclust.evaluation.thresholds import SLOW_FROM_FACES, SLOW_METHODS

    if faces > SLOW_FROM_FACES and (slow := [name for name in algorithms if name in SLOW_METHODS]):
        click.echo(
            f"note: {' and '.join(slow)} linkage take long over {format_count(faces, 'face')}, at each threshold anew; "
            "--faces 10000 draws some people, --algorithm chooses",
            err=True,
        )
