"""Short training runs of small networks on some people, measured on others: for `train.py`."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor, nn

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
    return replace(
        faces,
        chips=ArrayChips(np.stack([change(chip) for chip in faces.read(np.arange(len(faces)))])),
        rows=np.arange(len(faces)),
    )


def shrink(faces: FaceSet, side: int) -> FaceSet:
    """Return the faces with chips of `side` px."""

    def change(chip: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(chip).resize((side, side), Image.Resampling.LANCZOS))

    return faces if side == CHIP_SIDE else map_chips(faces, change)


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
            batch=people * FACES_PER_PERSON,
            people_per_batch=0 if head.sampler == "triplets" else people,
            seed=seed,
            device=self.device,
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
