"""Heads, mining, dimensions, training sets and pooling, compared by short training runs on people held out.

    python tests/benchmarks/train.py FOLDER [--only TABLE …] [--steps 300] [--seeds 0 1] [--backbone plain] [--size 32]
        [--device cpu] [--minutes M] [--workers N]

FOLDER holds <person>/<photo>, or InsightFace's train.rec. Faces of photos are found and aligned once, at 112 px, and
cached in the user's cache folder; the networks get them shrunk to --size. People are held out by the hash of their
name. The networks learn from the other people with at least 4 photos, in batches of 24 people × 4 photos. Each figure
is over all pairs of the held-out people's faces, 2 to 10 of a person.

`plain` is a small CNN for processors; --backbone also takes a name of `faceclust train --list`. --minutes sets the
steps, so that the chosen tables take about that long. For a GPU: --device cuda --backbone mobilefacenet --size 112
--minutes 10. Prints a Markdown table for each comparison, each row as soon as it is measured: means over the seeds
± half of their range.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from faceclust.evaluation.degradations import Downscaling, JpegCompression
from faceclust.training.data.face_set import FaceSet
from faceclust.training.options import Setting

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.training_runs import (
    CHIP_SIDE,
    FACES_PER_PERSON,
    MEASURES,
    PEOPLE_PER_BATCH,
    SCALE,
    Network,
    Row,
    Trainer,
    limit_faces,
    load_faces,
    map_chips,
    select_all,
    shrink,
    take_people,
)

#: Steps after which offline mining embeds all faces again.
OFFLINE_EVERY = 50


@dataclass(frozen=True)
class Table:
    """A comparison: the heading of its first cells, and its rows for a network and the faces to learn from."""

    heading: str
    rows: Callable[[Network, FaceSet], list[Row]]


def compare_heads(network: Network, faces: FaceSet) -> list[Row]:
    """Return a row for every head, all with the same network and steps."""
    variants: list[tuple[str, str, dict[str, Setting]]] = [
        ("softmax of cosines", "softmax", {}),
        ("contrastive", "contrastive", {}),
        ("center", "center", {}),
        ("triplet, semi-hard", "triplet", {}),
        ("triplet, hard", "triplet", {"mining": "hard"}),
        ("SphereFace", "sphereface", {}),
        ("CosFace", "cosface", {}),
        ("ArcFace", "arcface", {}),
        ("ArcFace, scale 64", "arcface", {"scale": 64.0}),
        ("AdaptiveFace", "adaptiveface", {}),
        ("AdaCos, fixed", "adacos", {"dynamic": False}),
        ("AdaCos, dynamic", "adacos", {"dynamic": True}),
        ("MV-Softmax, adaptive", "mv-softmax", {"mode": "adaptive"}),
        ("MV-Softmax, fixed", "mv-softmax", {"mode": "fixed"}),
        ("CurricularFace", "curricularface", {}),
        ("GroupFace, 4 groups", "groupface", {"groups": 4}),
        ("Sub-center ArcFace", "subcenter-arcface", {}),
        ("MagFace", "magface", {"regulariser": 35 * SCALE / 64}),
        ("ElasticFace", "elasticface", {}),
        ("ElasticFace+", "elasticface", {"plus": True}),
        ("AdaFace", "adaface", {}),
    ]
    rows = [Row(cells, network, head, settings) for cells, head, settings in variants]
    if network.name == "plain":
        rows.append(replace(compare_pooling(network, faces)[0], cells="triplet, hard; MobileFaceNet, ⅓ of the steps"))
    return rows


def compare_mining(network: Network, faces: FaceSet) -> list[Row]:
    """Return a row for every way to choose triplets."""
    kinds: list[dict[str, Setting]] = [{"mining": mining} for mining in ("all", "semi-hard", "hard")]
    rows = [Row(str(kind["mining"]), network, "triplet", kind) for kind in kinds]
    every = {"mining": "offline", "every": OFFLINE_EVERY}
    return [*rows, Row(f"offline, every {OFFLINE_EVERY} steps", network, "triplet", every)]


def compare_dimensions(network: Network, faces: FaceSet) -> list[Row]:
    """Return a row for each of FaceNet's dimensions (table 5 of the paper)."""
    return [Row(str(d), network, "triplet", {"mining": "hard"}, dimension=d) for d in (64, 128, 256, 512)]


def compare_sizes(network: Network, faces: FaceSet) -> list[Row]:
    """Return rows with fewer people, and with fewer faces of each, for the same number of steps."""
    selections: list[Callable[[FaceSet], FaceSet]] = [
        *(partial(take_people, share=share) for share in (0.25, 0.5)),
        select_all,
        *(partial(limit_faces, count=count) for count in (FACES_PER_PERSON, 2 * FACES_PER_PERSON)),
    ]
    rows = []
    for select in selections:
        chosen = select(faces)
        cells = f"{len(chosen.people):,} | {len(chosen):,} | {np.bincount(chosen.labels).max()}"
        rows.append(Row(cells, network, "triplet", {"mining": "hard"}, select=select))
    return rows


def compare_pooling(network: Network, faces: FaceSet) -> list[Row]:
    """Return rows with MobileFaceNet's global depth-wise convolution, and with average pooling in its place."""
    base, share = (network, 1.0) if network.name == "mobilefacenet" else (Network("mobilefacenet", 64), 1 / 3)
    kinds = ("depthwise", "average")
    width = {} if network.name == "mobilefacenet" else {"width": 0.5}
    return [
        Row(kind, replace(base, settings={**width, "pooling": kind}), "triplet", {"mining": "hard"}, share=share)
        for kind in kinds
    ]


def train_for_degradation(network: Network, faces: FaceSet) -> list[Row]:
    """Return the row of the one network that is measured on degraded faces."""
    return [Row("as they are", network, "triplet", {"mining": "hard"})]


TABLES = {
    "heads": Table("head", compare_heads),
    "mining": Table("triplets", compare_mining),
    "dimension": Table("dimension", compare_dimensions),
    "size": Table("people | faces | most of one person", compare_sizes),
    "degradation": Table("held-out faces", train_for_degradation),
    "pooling": Table("last layer", compare_pooling),
}
#: Both faces of each pair are degraded, at CHIP_SIDE, as in FaceNet (table 4 of the paper).
DEGRADATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **{f"JPEG quality {quality}": JpegCompression(quality) for quality in (90, 70, 50, 30, 20, 10, 5)},
    **{f"{side} × {side} px": Downscaling(CHIP_SIDE / side, restore_size=True) for side in (80, 56, 40, 28, 20, 14)},
}


def print_table(name: str, rows: Sequence[Row], trainer: Trainer, steps: float, seeds: Sequence[int]) -> None:
    """Train the networks of a table, and print each row at once."""
    heading = f"| {TABLES[name].heading} | loss, first → last epoch | {MEASURES} | seconds |"
    print(f"\n{heading}\n|{'---|' * (heading.count('|') - 1)}", flush=True)
    if name == "heads":
        untrained = [trainer.measure_untrained(rows[0], seed) for seed in seeds]
        print(f"| untrained | | {format_scores(untrained)} | |", flush=True)
    for row in rows:
        outcomes = [trainer.run(row, steps, seed) for seed in seeds]
        first, last = np.mean([outcome.losses for outcome in outcomes], axis=0)
        seconds = f"{np.mean([outcome.seconds for outcome in outcomes]):.1f}"
        scores = format_scores([outcome.scores for outcome in outcomes])
        print(f"| {row.cells} | {first:.3g} → {last:.3g} | {scores} | {seconds} |", flush=True)
        for label, change in DEGRADATIONS.items() if name == "degradation" else ():
            degraded = shrink(map_chips(trainer.faces.held_out, change), row.network.side)
            scores = format_scores([trainer.measure(outcome.backbone, outcome.head, degraded) for outcome in outcomes])
            print(f"| {label} | | {scores} | |", flush=True)


def format_scores(scores: Sequence[np.ndarray]) -> str:
    """Return cells with the mean over the seeds ± half of their range, which a single seed does not have."""
    spread = [f" ± {half:.1f}" if len(scores) > 1 else "" for half in np.ptp(scores, axis=0) / 2]
    return " | ".join(f"{mean:.1f}{half}" for mean, half in zip(np.mean(scores, axis=0), spread, strict=True))


def main() -> None:
    """Load the faces and print the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--backbone", default="plain")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    faces = load_faces(arguments.folder, arguments.workers)
    trainer, network = Trainer(faces, arguments.device), Network(arguments.backbone, arguments.size)
    tables = {name: TABLES[name].rows(network, faces.train) for name in arguments.only}
    trainer.run(next(iter(tables.values()))[0], 0, 0)  # the first run is slower
    steps = arguments.steps
    if arguments.minutes:
        step = trainer.time_step([row for rows in tables.values() for row in rows])
        steps = 60 * arguments.minutes / len(arguments.seeds) / step
    for part, of in ((faces.train, "to learn from"), (faces.held_out, "held out")):
        print(f"{len(part):,} faces of {len(part.people):,} people {of}")
    print(f"{steps:.0f} steps of {PEOPLE_PER_BATCH} people × {FACES_PER_PERSON} faces, scale {SCALE:g}")
    for name, rows in tables.items():
        print_table(name, rows, trainer, steps, arguments.seeds)


if __name__ == "__main__":
    main()
