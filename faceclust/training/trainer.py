"""Train a network with a head: equal arguments give equal weights, also if the run was stopped and resumed."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from faceclust.errors import UsageError
from faceclust.progress import Progress, ShouldStop, SilentProgress
from faceclust.training.backbones.base import Backbone
from faceclust.training.checkpoint import EpochRecord, Value
from faceclust.training.data.face_set import FaceSet
from faceclust.training.heads.base import Head
from faceclust.training.loop import TrainingLoop
from faceclust.training.memory import explain_out_of_memory
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import final_settings
from faceclust.training.processes import is_main_process, join_processes, main_process_first
from faceclust.training.validation import embed_faces

__all__ = [
    "EpochRecord",
    "Trained",
    "embed_faces",
    "is_main_process",
    "main_process_first",
    "seed_everything",
    "train",
]


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
    `resume` finds no checkpoint of this run; FaceclustError if memory runs out.
    """
    _check(head, train_set, options)
    processes = join_processes(options.device)
    with _reproducible(processes.device), explain_out_of_memory(options.device, options.batch):
        loop = TrainingLoop(
            *(backbone, head, train_set, held_out, options, processes),
            run=_describe(backbone, head, train_set, options, processes.count, digest),
            checkpoint=checkpoint,
            progress=progress if progress is not None and is_main_process() else SilentProgress(),
            should_stop=should_stop,
        )
        if resume:
            loop.restore()
        finished = loop.run()
    return Trained(backbone.eval(), head.eval(), tuple(loop.history), loop.images, finished)


def _check(head: Head, train_set: FaceSet, options: TrainingOptions) -> None:
    counts = np.bincount(train_set.labels)
    if np.count_nonzero(counts) < 2:
        raise UsageError(
            "training needs the faces of at least two people", hint="add people, each in a folder of their own"
        )
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
    deterministic: Any = torch.utils.deterministic
    filled = deterministic.fill_uninitialized_memory
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch demands it of deterministic runs
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
            deterministic.fill_uninitialized_memory = False  # slow, and for debugging only
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            deterministic.fill_uninitialized_memory = filled


def _describe(
    backbone: Backbone, head: Head, train_set: FaceSet, options: TrainingOptions, processes: int, digest: str
) -> dict[str, Value]:
    """Return what a run has to have in common with its checkpoint, by the names of the command line."""
    faces = hashlib.sha256(digest.encode())
    for text in (*train_set.people, *train_set.sources):
        faces.update(text.encode("utf-8", "surrogatepass") + b"\0")
    faces.update(train_set.labels.astype("<i8").tobytes())
    rate = options.learning_rate if options.learning_rate is not None else head.learning_rate
    return {
        "--backbone": options.backbone,
        "--head": options.head,
        **{f"backbone.{key}": value for key, value in final_settings(backbone, options.backbone_settings).items()},
        **{f"head.{key}": value for key, value in final_settings(head, options.head_settings).items()},
        "--epochs": options.epochs,
        "--batch": options.batch,
        "--people-per-batch": options.people_per_batch,
        "--lr": rate,
        "--seed": options.seed,
        "--device": options.device,
        "precision": options.precision,
        "processes": processes,
        "hash: people or photos": faces.hexdigest(),
    }
