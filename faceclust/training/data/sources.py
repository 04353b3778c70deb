"""Training data from a folder of people, a library's confirmed faces, or InsightFace's RecordIO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceclust.progress import Progress
from faceclust.training.data.face_set import TrainingData
from faceclust.types import LibraryFace

__all__ = ["LibraryFace", "list_bin_files", "load_training_data"]


def load_training_data(
    source: Path | Sequence[LibraryFace],
    input_size: tuple[int, int],
    *,
    held_out: float = 0.1,
    workers: int | None = None,
    progress: Progress | None = None,
) -> TrainingData:
    """Read training data, with chips of `input_size` (width, height) by ArcFace's template.

    `source` is a folder with <person>/<photo>, a folder with `train.rec`, or faces of a library. `held_out` is the
    share of people that are kept for measuring. `workers` is the number of processes that look for faces, one a core
    by default, 0 for none but this one. Raises UsageError if the data cannot be trained on.
    """
    raise NotImplementedError


def list_bin_files(folder: Path) -> list[Path]:
    """Return the sorted `.bin` lists of pairs beside `train.rec`."""
    return sorted(path for path in folder.glob("*.bin") if path.is_file())
