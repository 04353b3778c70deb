"""The outcome of a training run, for `report.json` and the command line. This module does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.training.measure import Calibration, Comparison
from faceclust.training.options import TrainingOptions

if TYPE_CHECKING:
    from faceclust.training.trainer import EpochRecord

#: The files of a run, in its folder. The manifest is called after the pack.
CHECKPOINT_NAME, EMBEDDER_NAME = "checkpoint.pt", "embedder.onnx"
REPORT_NAME, MISLABELLED_NAME = "report.json", "mislabelled.csv"


@dataclass(frozen=True)
class DataSummary:
    """The data of a run: training and held-out people and faces, the pictures left out by reason, and the origin and
    digest of `training.data.face_set.TrainingData`."""

    origin: str
    digest: str
    people: int
    faces: int
    held_out_people: int
    held_out_faces: int
    skipped: Mapping[str, int]


@dataclass(frozen=True)
class TrainingReport:
    """What a training run did.

    `folder` holds the files of the run. `history` has a record for each epoch; `images` counts the images trained on.
    `interrupted`: stopped before the end, with a checkpoint to resume from and nothing else. `calibration` and
    `comparison` are the measurements, None if interrupted; `comparison` is also None if there was nothing to measure.
    `mislabelled` counts the rows of `mislabelled.csv`, None for heads that find none. `installed`: the pack is better
    than the one in use and was added. `refusal` is the reason for which a better pack was not added.
    """

    name: str
    folder: Path
    options: TrainingOptions
    data: DataSummary
    history: tuple[EpochRecord, ...]
    images: int
    interrupted: bool = False
    calibration: Calibration | None = None
    comparison: Comparison | None = None
    mislabelled: int | None = None
    installed: bool = False
    refusal: str | None = None

    @property
    def manifest(self) -> Path:
        """The manifest of the pack: `faceclust models add` installs the pack from it."""
        return self.folder / f"{self.name}.toml"

    @property
    def mislabelled_list(self) -> Path:
        """The table of training faces that are probably of other people; it may not exist."""
        return self.folder / MISLABELLED_NAME


def training_record(report: TrainingReport) -> dict[str, Any]:
    """The report as a record for JSON."""
    record = asdict(report) | {"folder": str(report.folder), "manifest": str(report.manifest)}
    if report.comparison is not None:
        record["comparison"]["verdict"] = report.comparison.verdict
    return record
