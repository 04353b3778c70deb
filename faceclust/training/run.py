"""A training run from labelled faces to a measured pack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceclust.files.user_folders import data_folder
from faceclust.progress import Progress, ShouldStop
from faceclust.training.data.sources import LibraryFace
from faceclust.training.options import TrainingOptions
from faceclust.training.report import TrainingReport

__all__ = ["TrainingReport", "run_training", "training_folder"]

_RUNS_FOLDER = "training"


def training_folder(name: str) -> Path:
    """Return the folder of the run called `name`. It may not exist."""
    return data_folder() / _RUNS_FOLDER / name


def run_training(
    source: Path | Sequence[LibraryFace],
    options: TrainingOptions,
    name: str,
    *,
    held_out: float = 0.1,
    licence: str = "not known",
    baseline: str | None = None,
    resume: bool = False,
    keep: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop = lambda: False,
) -> TrainingReport:
    """Train."""
    raise NotImplementedError
