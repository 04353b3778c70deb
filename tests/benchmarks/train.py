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
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from faceclust.evaluation.degradations import Downscaling, JpegCompression
from faceclust.evaluation.metrics.verification import roc, threshold_at_far, val_and_far
from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.data.face_set import FaceSet
from faceclust.training.data.samplers import Share
from faceclust.training.data.sources import load_training_data
from faceclust.training.heads.base import Head
from faceclust.training.loader import build_sampler
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import build_backbone, build_head, default_settings, find_head
from faceclust.training.trainer import embed_faces, seed_everything, train

CHIP_SIDE, HELD_OUT = 112, 0.3
PEOPLE_PER_BATCH, FACES_PER_PERSON = 24, 4
#: A held-out person has at most so many faces: otherwise LFW's 530 photos of one man would outweigh all others.
MAX_HELD_OUT_FACES = 10
FARS = (0.1, 0.01, 0.001)
#: Scale of all cosines. With some 200 people a network hardly starts at the papers' 64.
SCALE = 16.0
#: Steps after which offline mining embeds all faces again.
OFFLINE_EVERY = 50
#: Steps of the runs that --minutes measures the speed with.
TIMED_STEPS = 20
MEASURES = "AUC (%) | TAR at FAR 10 % | 1 % | 0.1 %"


class PlainCNN(Backbone):
    """Three convolutions of stride 2 with batch normalisation and PReLU, then a linear layer with batch normalisation.

    A processor trains it 30 times as fast as a network of depth-wise convolutions.
    """

    title, paper, published = "plain CNN", "", PublishedSize((32, 32), None, None)

    def __init__(self, *, dimension: int = 128, size: str = "32x32", width: int = 16) -> None:
        columns, rows = (int(side) for side in size.split("x"))
        super().__init__(dimension, (columns, rows))
        channels = [3, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.PReLU(after)]
        values = channels[-1] * math.ceil(columns / 8) * math.ceil(rows / 8)
        layers += [nn.Flatten(), nn.Linear(values, dimension, bias=False), nn.BatchNorm1d(dimension)]
        self.layers = nn.Sequential(*layers)

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.layers(chips)
        return features


@dataclass(frozen=True)
class Network:
    """A backbone by name, or `plain`, with square chips of `side` px."""

    name: str
    side: int
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def build(self, dimension: int) -> Backbone:
        """Construct it with random weights."""
        settings = {"dimension": dimension, "size": f"{self.side}x{self.side}", **self.settings}
        return PlainCNN(**settings) if self.name == "plain" else build_backbone(self.name, settings)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ArrayChips:
    """Chips uint8 (n, h, w, 3) in memory."""

    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the chips at these positions."""
        return self.pixels[indices]


@dataclass(frozen=True)
class Faces:
    """The faces to learn from and those of held-out people, as chips of CHIP_SIDE."""

    train: FaceSet
    held_out: FaceSet


# ---------------------------------------------------------------- faces


def load_faces(folder: Path, workers: int | None) -> Faces:
    """Load the faces, and leave out people with too few of them to learn from, or to measure."""
    data = load_training_data(folder, (CHIP_SIDE, CHIP_SIDE), held_out=HELD_OUT, workers=workers)
    held_out = limit_faces(data.held_out, MAX_HELD_OUT_FACES)
    return Faces(read_all(require_faces(data.train, FACES_PER_PERSON)), read_all(require_faces(held_out, 2)))


def select_faces(faces: FaceSet, selected: np.ndarray) -> FaceSet:
    """Return some of the faces, by a mask (n,), and the people they show."""
    people, labels = np.unique(faces.labels[selected], return_inverse=True)
    sources = tuple(faces.sources[position] for position in np.flatnonzero(selected))
    return FaceSet(faces.chips, faces.rows[selected], labels, tuple(faces.people[one] for one in people), sources)


def select_all(faces: FaceSet) -> FaceSet:
    """Return all faces."""
    return faces


def require_faces(faces: FaceSet, count: int) -> FaceSet:
    """Return the faces of people with at least `count` of them."""
    return select_faces(faces, np.bincount(faces.labels)[faces.labels] >= count)


def limit_faces(faces: FaceSet, count: int) -> FaceSet:
    """Return the first `count` faces of each person."""
    order = np.argsort(faces.labels, kind="stable")
    firsts = np.searchsorted(faces.labels[order], faces.labels[order])
    selected = np.zeros(len(faces), bool)
    selected[order] = np.arange(len(faces)) - firsts < count
    return select_faces(faces, selected)


def take_people(faces: FaceSet, share: float) -> FaceSet:
    """Return the faces of a random share of the people; a larger share contains a smaller one."""
    order = np.random.default_rng(0).permutation(len(faces.people))
    return select_faces(faces, np.isin(faces.labels, order[: max(2, round(share * len(order)))]))


def read_all(faces: FaceSet) -> FaceSet:
    """Return the same faces with all chips in memory."""
    return replace(faces, chips=ArrayChips(faces.read(np.arange(len(faces)))), rows=np.arange(len(faces)))


def map_chips(faces: FaceSet, change: Callable[[np.ndarray], np.ndarray]) -> FaceSet:
    """Return the same faces with each chip changed."""
    return read_all(replace(faces, chips=ArrayChips(np.stack([change(chip) for chip in read_all(faces).chips.pixels]))))  # type: ignore[attr-defined]


def shrink(faces: FaceSet, side: int) -> FaceSet:
    """Return the faces with chips of `side` px."""

    def change(chip: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(chip).resize((side, side), Image.Resampling.LANCZOS))

    return faces if side == CHIP_SIDE else map_chips(faces, change)


# ---------------------------------------------------------------- training and measuring


@dataclass(frozen=True)
class Row:
    """One row of a table: what is trained, on which faces. It takes `share` of the steps of other rows."""

    cells: str
    network: Network
    head: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    dimension: int = 128
    select: Callable[[FaceSet], FaceSet] = select_all
    share: float = 1.0

    @property
    def key(self) -> str:
        """Everything but the text."""
        return repr(replace(self, cells=""))

    @property
    def head_settings(self) -> Mapping[str, Setting]:
        """Its settings, and SCALE for a head with a scale."""
        return ({"scale": SCALE} if "scale" in default_settings(find_head(self.head)) else {}) | dict(self.settings)


@dataclass(frozen=True)
class Outcome:
    """A trained network: the mean loss of its first and last epoch, `scores` as MEASURES, and seconds of training, of
    processor time unless a GPU trains."""

    backbone: Backbone
    head: Head
    losses: tuple[float, float]
    scores: np.ndarray
    seconds: float
    steps: int


class Trainer:
    """Trains and measures networks on the same faces."""

    def __init__(self, faces: Faces, device: str) -> None:
        self.faces, self.device = faces, device
        self.clock = time.process_time if device == "cpu" else time.perf_counter
        self.shrunk = cache(lambda side: Faces(shrink(faces.train, side), shrink(faces.held_out, side)))
        self.outcomes: dict[str, Outcome] = {}

    def build(self, row: Row, seed: int) -> tuple[Backbone, Head]:
        """Construct the backbone and head of a row."""
        seed_everything(seed)
        classes = len(row.select(self.faces.train).people)
        return row.network.build(row.dimension), build_head(row.head, row.dimension, classes, row.head_settings)

    def run(self, row: Row, steps: float, seed: int) -> Outcome:
        """Train for about so many steps, in whole epochs, and measure. Tables share networks that are the same."""
        key = f"{row.key} {steps} {seed}"
        if key not in self.outcomes:
            self.outcomes[key] = self._run(row, steps, seed)
        return self.outcomes[key]

    def _run(self, row: Row, steps: float, seed: int) -> Outcome:
        faces, (backbone, head) = self.shrunk(row.network.side), self.build(row, seed)
        train_set = row.select(faces.train)
        people = min(PEOPLE_PER_BATCH, len(train_set.people))
        options = TrainingOptions(
            batch=people * FACES_PER_PERSON, people_per_batch=people, seed=seed, device=self.device
        )
        steps_of_epoch = build_sampler(head, train_set.labels, options, Share()).steps
        options = replace(options, epochs=max(1, round(steps * row.share / steps_of_epoch)))
        nobody = select_faces(faces.held_out, np.zeros(len(faces.held_out), bool))  # measured once, after training
        began = self.clock()
        trained = train(backbone, head, train_set, nobody, options)
        seconds = self.clock() - began
        losses = trained.history[0].loss, trained.history[-1].loss
        scores = self.measure(trained.backbone, trained.head, faces.held_out)
        return Outcome(trained.backbone, trained.head, losses, scores, seconds, options.epochs * steps_of_epoch)

    def measure(self, backbone: Backbone, head: Head, faces: FaceSet) -> np.ndarray:
        """Return the measures of MEASURES, in percent."""
        return score_pairs(embed_faces(backbone, head, faces, device=self.device)[0], faces.labels)

    def measure_untrained(self, row: Row, seed: int) -> np.ndarray:
        """Return the measures of a network with random weights."""
        return self.measure(*self.build(row, seed), self.shrunk(row.network.side).held_out)

    def time_step(self, rows: Sequence[Row]) -> float:
        """Return the seconds that one step of each different row takes, of those with a share in proportion."""
        seconds = {}
        for row in {(row.network.name, row.network.side): row for row in rows}.values():
            timed = self.run(row, TIMED_STEPS, 0)
            seconds[row.network.name, row.network.side] = timed.seconds / timed.steps
        return sum(
            row.share * seconds[row.network.name, row.network.side] for row in {row.key: row for row in rows}.values()
        )


def score_pairs(units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the area under the ROC and the TAR at each FAR, in percent, over all pairs of unit vectors (n, d)."""
    i, j = np.triu_indices(len(labels), 1)
    distances, same = (2 - 2 * units @ units.T)[i, j], labels[i] == labels[j]
    tar = [val_and_far(distances, same, threshold_at_far(distances[~same], far))[0] for far in FARS]
    return 100 * np.array([roc(distances, same).auc, *tar])


# ---------------------------------------------------------------- tables


@dataclass(frozen=True)
class Table:
    """A comparison: the heading of its first cells, and its rows for a network and the faces to learn from."""

    heading: str
    rows: Callable[[Network, FaceSet], list[Row]]


def compare_heads(network: Network, faces: FaceSet) -> list[Row]:
    """Every head with the same network and steps."""
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
    """The kinds of triplets."""
    kinds: list[dict[str, Setting]] = [{"mining": mining} for mining in ("all", "semi-hard", "hard")]
    rows = [Row(str(kind["mining"]), network, "triplet", kind) for kind in kinds]
    every = {"mining": "offline", "every": OFFLINE_EVERY}
    return [*rows, Row(f"offline, every {OFFLINE_EVERY} steps", network, "triplet", every)]


def compare_dimensions(network: Network, faces: FaceSet) -> list[Row]:
    """Features of FaceNet's dimensions (table 5 of the paper)."""
    return [Row(str(d), network, "triplet", {"mining": "hard"}, dimension=d) for d in (64, 128, 256, 512)]


def compare_sizes(network: Network, faces: FaceSet) -> list[Row]:
    """Fewer people, and fewer faces of each, with the same number of steps."""
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
    """MobileFaceNet's global depth-wise convolution, and global average pooling in its place."""
    base, share = (network, 1.0) if network.name == "mobilefacenet" else (Network("mobilefacenet", 64), 1 / 3)
    kinds = ("depthwise", "average")
    width = {} if network.name == "mobilefacenet" else {"width": 0.5}
    return [
        Row(kind, replace(base, settings={**width, "pooling": kind}), "triplet", {"mining": "hard"}, share=share)
        for kind in kinds
    ]


def train_for_degradation(network: Network, faces: FaceSet) -> list[Row]:
    """The one network that sees degraded faces."""
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
