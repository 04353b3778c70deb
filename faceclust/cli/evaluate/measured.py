"""What the commands of `evaluate` that look at photos share: options, and the way from them to figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.conventions import DEFAULT_PACK

if TYPE_CHECKING:
    from faceclust.measure.pairs import PairScores

_Function = Callable[..., None]


def pack_option(function: _Function) -> _Function:
    """`--pack NAME`."""
    return click.option(
        "--pack", metavar="NAME", default=DEFAULT_PACK, show_default=True, help="The models to measure."
    )(function)


def workers_option(function: _Function) -> _Function:
    """`--workers N`."""
    return click.option(
        "--workers", "-w", metavar="N", type=click.IntRange(1), help="Processes. Default: one for each core."
    )(function)


def measure_pairs(
    folder: Path | None,
    file: Path,
    *,
    pack: str,
    mirror: bool | None,
    detect: bool,
    leave_out: bool,
    workers: int | None,
) -> tuple[PairScores, dict[str, Any]]:
    """The scores of a list of pairs, and how they were made. Raises FaceclustError."""
    from faceclust.cli.progress import TerminalProgress
    from faceclust.measure.faces import main_faces
    from faceclust.measure.pairs import pairs_of, score_pairs
    from faceclust.packs.known import load_pack

    models = load_pack(pack)
    mirrored = models.embedder.mirror if mirror is None else mirror
    pairs = pairs_of(folder, file)
    if pairs.aligned and not detect:
        click.echo("the faces are taken as cut by ArcFace's template (--detect looks for them)", err=True)
    faces = main_faces(
        pairs.pictures,
        models,
        aligned=pairs.aligned and not detect,
        workers=workers,
        progress=TerminalProgress(),
    )
    scores = score_pairs(pairs, faces, models.embedder.radius, mirrored=mirrored, leave_out=leave_out)
    return scores, {"pack": pack, "mirror": mirrored, "detect": detect or not pairs.aligned}
