"""What the commands of `evaluate` that look at photos share: options, and the way from them to figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_packs
from faceclust.files.names import PRECISIONS

if TYPE_CHECKING:
    from faceclust.evaluation.score_pairs import PairScores

_Command = Callable[..., None]


def pack_option(function: _Command) -> _Command:
    """`--pack NAME`."""
    return click.option(
        "--pack", metavar="NAME", shell_complete=complete_packs, help="The models to measure. Default: those in use."
    )(function)


def workers_option(function: _Command) -> _Command:
    """`--workers N`."""
    return click.option(
        "--workers", "-w", metavar="N", type=click.IntRange(1), help="Processes. Default: one for each core."
    )(function)


def precision_option(function: _Command) -> _Command:
    """`--kept-as`."""
    return click.option(
        "--kept-as",
        "precision",
        type=click.Choice(PRECISIONS),
        default="float32",
        show_default=True,
        help="With embeddings as scan --precision keeps them.",
    )(function)


def measure_pairs(
    folder: Path | None,
    pairs_file: Path,
    *,
    pack: str | None,
    mirror: bool | None,
    precision: str,
    detect: bool,
    leave_out_missing: bool,
    workers: int | None,
) -> tuple[PairScores, dict[str, Any]]:
    """The scores of a list of pairs, and how they were made. Raises FaceclustError."""
    from faceclust.catalogue.models_in_use import load_pack_in_use
    from faceclust.cli.terminal.progress import TerminalProgress
    from faceclust.evaluation.main_faces import find_main_faces
    from faceclust.evaluation.score_pairs import load_pairs, score_pairs
    from faceclust.store.precision import quantise_embeddings

    models = load_pack_in_use(None, pack)
    radius = models.embedder.radius
    mirrored = models.embedder.mirror if mirror is None else mirror
    pairs = load_pairs(folder, pairs_file)
    if pairs.aligned and not detect:
        click.echo("the faces are taken as cut by ArcFace's template (--detect looks for them)", err=True)
    faces = find_main_faces(
        pairs.pictures,
        models,
        aligned=pairs.aligned and not detect,
        workers=workers,
        progress=TerminalProgress(),
    )
    scores = score_pairs(
        pairs,
        faces,
        radius,
        mirrored=mirrored,
        exclude_missing=leave_out_missing,
        quantise=lambda vectors: quantise_embeddings(vectors, precision, radius),
    )
    return scores, {
        "pack": models.name,
        "mirror": mirrored,
        "precision": precision,
        "detect": detect or not pairs.aligned,
    }
