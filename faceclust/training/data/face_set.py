"""Aligned chips with the person of each, and the split into training and held-out people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.main_face_finder import Picture
from faceclust.types import UInt8


class Chips(Protocol):
    """Aligned chips, read on demand."""

    def __len__(self) -> int: ...

    def read(self, indices: NDArray[np.int64]) -> UInt8:
        """Return chips uint8 (n, h, w, 3) RGB."""


@dataclass(frozen=True)
class FaceSet:
    """n faces of some people.

    `rows` int64 (n,) are positions in `chips`. `labels` int64 (n,) index `people`, which are in sorted order and each
    have at least one face. `sources` names each face for a user (a path below the folder, or a record's number).
    """

    chips: Chips
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    people: tuple[str, ...]
    sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: NDArray[np.int64]) -> UInt8:
        """Return the chips uint8 (n, h, w, 3) of the faces at these positions of the set."""
        return self.chips.read(self.rows[indices])


@dataclass(frozen=True)
class HeldOutPictures:
    """The pictures of held-out people, for measuring packs of any alignment: `pictures[i]` shows a face of person
    `persons[i]` (n,). `aligned` pictures are crops by ArcFace's template."""

    pictures: tuple[Picture, ...]
    persons: NDArray[np.str_]
    aligned: bool


@dataclass(frozen=True)
class TrainingData:
    """Everything that a training run learns from and is measured on.

    `digest` is the SHA-256 of the sorted (person, content hash) pairs of all faces, in hex. `skipped` counts the
    pictures left out, by reason. `origin` names the data for manifests: "folder", "recordio" or "library".
    """

    train: FaceSet
    held_out: FaceSet
    pictures: HeldOutPictures
    digest: str
    skipped: dict[str, int]
    origin: str
