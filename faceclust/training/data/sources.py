"""Training data from a folder of people, a library's confirmed faces, or InsightFace's RecordIO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import UsageError
from faceclust.evaluation.main_face_finder import Picture
from faceclust.progress import Progress, SilentProgress
from faceclust.training.data.face_set import TrainingData
from faceclust.training.data.labelled_chips import LabelledChips
from faceclust.training.data.photo_faces import load_folder, load_library_faces
from faceclust.training.data.record_chips import RecordChips, RecordNames, read_records
from faceclust.training.data.recordio import RECORD_FILE
from faceclust.training.data.split import require_valid_share
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
    share of people that are kept for measuring. `workers` is the number of processes that find faces: one for each
    core by default, 0 for this process alone. Chips of photos are cached. Raises UsageError if the data cannot be
    trained on, CacheError if the chips cannot be written, PackError if the detector cannot be used.
    """
    require_valid_share(held_out)
    progress = progress or SilentProgress()
    if not isinstance(source, Path):
        if not source:
            raise UsageError("no confirmed faces to train on", hint="name people first: faceclust label")
        return load_library_faces(source, input_size, held_out, workers, progress).split(held_out)
    if (source / RECORD_FILE).exists():
        return _load_records(source, input_size, progress).split(held_out)
    return load_folder(source, input_size, held_out, workers, progress).split(held_out)


def list_bin_files(folder: Path) -> list[Path]:
    """Return the sorted `.bin` lists of pairs beside `train.rec`."""
    return sorted(path for path in folder.glob("*.bin") if path.is_file())


def _load_records(folder: Path, input_size: tuple[int, int], progress: Progress) -> LabelledChips:
    records = read_records(folder, progress)
    chips = RecordChips(records.file, records.table.offsets, input_size)
    labels, indices = np.unique(records.table.labels, return_inverse=True)
    return LabelledChips(
        chips=chips,
        rows=np.arange(len(chips)),
        labels=indices.astype(np.int64, copy=False),
        people=[str(label) for label in labels],
        digests=records.digests,
        sources=RecordNames(records.table.numbers),
        skipped=records.skipped,
        origin="recordio",
        read_pictures=partial(_read_pictures, chips),
        aligned=True,
    )


def _read_pictures(chips: RecordChips, positions: NDArray[np.int64]) -> tuple[Picture, ...]:
    return tuple(chips.read_picture(int(position)) for position in positions)
