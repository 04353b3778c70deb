"""`faceclust evaluate clusters`."""

from __future__ import annotations

from pathlib import Path

import click

from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.evaluate.all_pairs_output import all_pairs_record, print_all_pairs
from faceclust.cli.evaluate.clusters_output import METHOD_TITLES, bcubed_curves, groupings_record, print_groupings
from faceclust.cli.evaluate.plot_option import plot_option, resolve_plot_file, write_plot
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.errors import UsageError
from faceclust.evaluation.embedding_files import label_saved_faces, read_embedding_file
from faceclust.evaluation.ground_truth import label_library_faces
from faceclust.evaluation.thresholds import (
    SLOW_FROM_FACES,
    SLOW_METHODS,
    LabelledFaces,
    parse_thresholds,
    score_groupings,
)
from faceclust.outputs.plots import draw_threshold_curves
from faceclust.text.plural import format_count

_FILE = click.Path(path_type=Path)
_NORM_TOLERANCE = 0.01  # relative; smaller changes of the norm are not worth a note


@click.command("clusters")
@click.option("--truth", type=_FILE, metavar="FILE", help="A CSV that names the persons, or: folders.")
@click.option("--sweep", default="0.9:1.3:0.05", show_default=True, help="Thresholds: from, to, step.")
@click.option(
    "--algorithm", "-a", "algorithms", type=click.Choice(list(METHOD_TITLES)), multiple=True, help="Only this one."
)
@click.option("--embeddings", type=_FILE, metavar="FILE", help="Faces of an .npz or .parquet instead of the library.")
@click.option("--radius", type=click.FloatRange(0, min_open=True), help="The norm to scale --embeddings to.")
@click.option("--faces", "max_faces", type=click.IntRange(2), metavar="N", help="Sample people with about N faces.")
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
    """Score clusterings of faces whose persons are known: BCubed, pairwise, NMI, V-measure.

    All faces are grouped as `faceclust cluster` does it before anybody has a name. Those with a
    known person are scored. The truth is a CSV with face_id and person, or with photo, left, top,
    right, bottom and name. With "folders", it is the name of each photo's folder. A file of
    --embeddings may hold the labels itself. The best value of each score is marked *.

    TAR is the share of pairs of one person below a threshold that accepts the share FAR of the
    pairs of two people, over all pairs of faces with a known person. Beside it stands the mean of
    each person's own TAR.

    \b
    Examples:
      faceclust evaluate clusters --truth who.csv
      faceclust evaluate clusters --truth folders --sweep 0.6:1.6:0.05 -a average
      faceclust evaluate clusters --embeddings faces.npz --json
    """
    thresholds, plot_file = parse_thresholds(sweep), resolve_plot_file(plot)
    labelled = _load_labelled_faces(truth, embeddings, radius, library)
    labelled = labelled.sample(max_faces) if max_faces else labelled
    methods = tuple(dict.fromkeys(algorithms)) or tuple(METHOD_TITLES)
    _warn_if_slow(len(labelled.faces), methods)
    progress = TerminalProgress()
    scores = list(score_groupings(labelled, methods, thresholds, progress, allow_same_photo=allow_same_photo))
    all_pairs = labelled.score_all_pairs(progress)
    if as_json:
        print_json({**groupings_record(labelled, scores), "all_pairs": all_pairs_record(all_pairs)})
    else:
        print_groupings(labelled, scores)
        print_line()
        print_all_pairs(all_pairs)
    write_plot(plot_file, lambda stream, suffix: draw_threshold_curves(stream, suffix, bcubed_curves(scores)))


def _load_labelled_faces(
    truth: Path | None, embeddings: Path | None, radius: float | None, library: Path | None
) -> LabelledFaces:
    if embeddings is None:
        if truth is None:
            raise UsageError("no truth is given", hint="add --truth FILE or --truth folders")
        if radius is not None:
            raise UsageError("--radius needs --embeddings", hint="a library's embeddings have the radius of its pack")
        return label_library_faces(open_library(library), truth)
    pack = open_library(library).pack if library else load_pack_in_use(None)
    saved = read_embedding_file(embeddings, radius, pack.embedder.radius)
    if saved.norm is None or abs(saved.norm - saved.radius) > _NORM_TOLERANCE * saved.radius:
        before = "with different norms" if saved.norm is None else f"with norm {saved.norm:.3g}"
        print_line(f"embeddings {before} scaled to {saved.radius:.3g}; --radius sets another norm", err=True)
    return label_saved_faces(saved, truth)


def _warn_if_slow(faces: int, methods: tuple[str, ...]) -> None:
    if faces > SLOW_FROM_FACES and (slow := [name for name in methods if name in SLOW_METHODS]):
        print_line(
            f"note: {' and '.join(slow)} linkage start from scratch at each threshold, which takes long for "
            f"{format_count(faces, 'face')}; --faces 10000 samples people, --algorithm chooses methods",
            err=True,
        )
