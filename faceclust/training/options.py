"""The options of a training run. This module does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faceclust.errors import UsageError

#: The value of one option of a head or a backbone.
Setting = float | int | bool | str


@dataclass(frozen=True)
class TrainingOptions:
    """One training run, completely described: the same options and data give the same network.

    `backbone` and `head` are names from their tables; `backbone_settings` and `head_settings` override the defaults
    of their constructors. `batch` is the number of images per step over all processes. `people_per_batch` is P of
    batches with P people and batch / P faces of each; 0 for images in random order, which pair losses replace by a
    quarter of the batch. `learning_rate` None is the default of the head. `precision` is "float32", or "float16" or
    "bfloat16" for autocast. Raises UsageError if a value is out of range.
    """

    backbone: str = "mobilefacenet"
    head: str = "arcface"
    backbone_settings: Mapping[str, Setting] = field(default_factory=dict)
    head_settings: Mapping[str, Setting] = field(default_factory=dict)
    epochs: int = 20
    batch: int = 128
    people_per_batch: int = 0
    learning_rate: float | None = None
    seed: int = 0
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for option, value, low, high in (
            ("--epochs", self.epochs, 1, 10_000),
            ("--batch", self.batch, 1, 1_000_000),
            ("--people-per-batch", self.people_per_batch, 0, self.batch),
            ("--seed", self.seed, 0, 2**32 - 1),
        ):
            if not low <= value <= high:
                raise UsageError(f"{option} must be from {low:,} to {high:,}, not {value:,}")
        if self.learning_rate is not None and not 0 < self.learning_rate <= 100:
            raise UsageError(f"--lr must be above 0 and at most 100, not {self.learning_rate:g}")
        if self.precision not in ("float32", "float16", "bfloat16"):
            raise UsageError(f"precision must be float32, float16 or bfloat16, not {self.precision!r}")
