"""The training loop: batches of chips through network and head, with checkpoints after which a run goes on bit-equal."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from faceclust.errors import UsageError
from faceclust.progress import Progress, ShouldStop, SilentProgress
from faceclust.training.backbones.base import Backbone
from faceclust.training.checkpoint import Checkpoint, Value, load_checkpoint, save_checkpoint, to_arrays, to_tensors
from faceclust.training.data.augment import augment
from faceclust.training.data.face_set import FaceSet
from faceclust.training.data.samplers import AdaptiveSampler, PeopleBatches, Sampler, Share, Shuffled, TripletSampler
from faceclust.training.heads.base import Head
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import default_settings
from faceclust.training.processes import Processes, is_main_process, join_processes
from faceclust.training.schedule import build_optimiser, scheduled_rate
from faceclust.training.validation import (
    HeldOutScore,
    choose_faces,
    embed_faces,
    measure_held_out,
    normalise_chips,
    read_ahead,
)

__all__ = ["EpochRecord", "Trained", "embed_faces", "is_main_process", "seed_everything", "train"]

#: Seconds between checkpoints within an epoch.
CHECKPOINT_INTERVAL = 300.0
#: Gradients of all parameters together are scaled down to this norm.
MAX_GRADIENT_NORM = 5.0

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class EpochRecord:
    """What is known about an epoch (counted from 1): mean loss, last learning rate, the true accept rate `tar` of held-out people
    at the false accept rate `far` (None if they are too few), and the speed, which does not count for equality."""

    epoch: int
    loss: float
    learning_rate: float
    tar: float | None
    images_per_second: float = field(compare=False)
    far: float | None = None


@dataclass(frozen=True)
class Trained:
    """A trained network and its head, in evaluation mode. `images` counts chips learnt from in the whole run.
    `finished` is false if the run was stopped."""

    backbone: Backbone
    head: Head
    history: tuple[EpochRecord, ...]
    images: int
    finished: bool


def seed_everything(seed: int) -> None:
    """Seed the random numbers of Python, NumPy and torch: before networks and heads are built, for equal weights."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train(
    backbone: Backbone,
    head: Head,
    train_set: FaceSet,
    held_out: FaceSet,
    options: TrainingOptions,
    checkpoint: Path | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    should_stop: ShouldStop = lambda: False,
    digest: str = "",
) -> Trained:
    """Train a network with a head on the faces of `train_set`; measure it on `held_out` after each epoch.

    On one device the result depends on the arguments alone: equal seeds give weights that are equal bit for bit on
    the same machine with as many threads, and so does a run that was stopped and resumed. `checkpoint` is written
    after each epoch, every few minutes, and when `should_stop`, which is called between batches, returns true; its
    folder has to exist. `digest` stands for the content of the photos. torchrun's processes divide the batches; the
    first one writes and measures.

    Raises UsageError if options or data do not allow training, if the loss is not finite any more, and if
    `resume` finds no checkpoint of this run.
    """
    _check(head, train_set, options)
    with join_processes(options.device) as processes, _reproducible(processes.device):
        run = _Run(backbone, head, train_set, choose_faces(held_out), options, processes, digest)
        run.checkpoint, run.should_stop = checkpoint, should_stop
        run.progress = progress if progress is not None and is_main_process() else SilentProgress()
        if resume:
            run.restore()
        try:
            finished = run.run()
        finally:
            run.progress.finish()
            run.optimiser.zero_grad()
        run.agree()
    return Trained(backbone.eval(), head.eval(), tuple(run.history), run.images_before + run.images, finished)


def _check(head: Head, train_set: FaceSet, options: TrainingOptions) -> None:
    counts = np.bincount(train_set.labels)
    if np.count_nonzero(counts) < 2:
        raise UsageError("training needs the faces of at least two people", hint="add people, each in a folder of their own")
    if head.sampler in ("people", "triplets") and counts.max() < 2:
        raise UsageError(
            f"{head.title} compares two faces of a person, but nobody has two",
            hint="add photos, or use a head such as arcface",
        )


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Make torch deterministic; afterwards restore its settings and the state of its random numbers.

    On CUDA, torch warns of an operation that has no deterministic form.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch demands it of deterministic runs
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
            torch.utils.deterministic.fill_uninitialized_memory = False  # slow, and for debugging only
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled


class _NetworkWithHead(nn.Module):
    """Chips and labels to loss and features, as one module, since DDP reduces the gradients of one."""

    def __init__(self, backbone: Backbone, head: Head, precision: str) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.autocast = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(precision)

    def forward(self, chips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(chips.device.type, self.autocast, enabled=self.autocast is not None):
            features = self.backbone(chips)
        features = features.float()
        return self.head(features, labels), features.detach()


class _Run:
    """The state of a training run."""

    checkpoint: Path | None
    should_stop: ShouldStop
    progress: Progress

    def __init__(
        self,
        backbone: Backbone,
        head: Head,
        train_set: FaceSet,
        held_out: FaceSet,
        options: TrainingOptions,
        processes: Processes,
        digest: str,
    ) -> None:
        self.backbone, self.head, self.options, self.processes = backbone, head, options, processes
        self.train_set, self.held_out, self.device = train_set, held_out, processes.device
        self.peak_rate = options.learning_rate if options.learning_rate is not None else head.learning_rate
        self.description = _describe(backbone, head, train_set, held_out, options, processes.count, digest)
        self.model = _NetworkWithHead(backbone, head, options.precision)
        # Convolutions are a quarter faster in this layout on a CPU, and chips have it already.
        self.model.to(self.device, memory_format=torch.channels_last).train()
        self.names = [name for name, _ in self.model.named_parameters()]
        self.parameters = list(self.model.parameters())
        self.optimiser = build_optimiser(backbone, head, self.peak_rate)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=options.precision == "float16")
        self.sampler = _build_sampler(head, train_set, options, Share(processes.rank, processes.count))
        self.parallel: nn.Module = self.model
        if processes.count > 1:
            self.parallel = DistributedDataParallel(
                self.model, device_ids=[self.device] if self.device.type == "cuda" else None
            )
        self.history: list[EpochRecord] = []
        self.score = HeldOutScore()
        self.epoch = self.batch = self.step = 0
        self.images_before = 0
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.batch, self.loss, self.images, self.seconds = 0, 0.0, 0, 0.0
        self.batches: list[Positions] | None = None
        self.drawn_from = copy.deepcopy(self.sampler.state_dict())

    def run(self) -> bool:
        """Train until the end or until a stop; return whether the end was reached."""
        self.saved_at = time.monotonic()
        left = self.options.epochs * self.sampler.steps - self.epoch * self.sampler.steps - self.batch
        self.progress.start("training", left * self.options.batch, "faces")
        while self.epoch < self.options.epochs:
            if not self._train_epoch():
                self.save()
                return False
            self._finish_epoch()
            self.save()
        return True
