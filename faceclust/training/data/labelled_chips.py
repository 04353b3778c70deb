"""The faces of one source, whatever it is, and their split into training data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.main_face_finder import Picture
from faceclust.training.data.face_set import Chips, FaceSet, HeldOutPictures, TrainingData
from faceclust.training.data.split import choose_held_out_people

DUPLICATE = "the same picture of the same person again"


@dataclass(frozen=True)
class LabelledChips:
    """n faces of a source. `rows` int64 (n,) are positions in `chips`, `labels` int64 (n,) index `people`, which may be
    in any order and without a face. `digests` uint8 (n, 16) identify the pictures by content. `sources`, `skipped` and
    `origin`: as in `FaceSet` and `TrainingData`. `read_pictures` returns the pictures of faces at positions (m,), which
    are `aligned` by ArcFace's template or not.
    """

    chips: Chips
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    people: Sequence[str]
    digests: NDArray[np.uint8]
    sources: Sequence[str]
    skipped: dict[str, int]
    origin: str
    read_pictures: Callable[[NDArray[np.int64]], tuple[Picture, ...]]
    aligned: bool = False

    def split(self, share: float) -> TrainingData:
        """Return the faces as training data; copies of a picture in one person's count once.

        Raises UsageError if there are too few people.
        """
        order, skipped = self._sort_by_person(), dict(self.skipped)
        if copies := len(self.rows) - len(order):
            skipped[DUPLICATE] = copies
        counts = np.bincount(self.labels[order], minlength=len(self.people)).tolist()
        held_out = choose_held_out_people(
            {name: count for name, count in zip(self.people, counts, strict=True) if count}, share
        )
        is_held_out = np.array([name in held_out for name in self.people], np.bool_)[self.labels[order]]
        measured = order[is_held_out]
        persons = np.array([self.people[label] for label in self.labels[measured]], np.str_)
        return TrainingData(
            train=self._select(order[~is_held_out]),
            held_out=self._select(measured),
            pictures=HeldOutPictures(self.read_pictures(measured), persons, self.aligned),
            digest=self._digest(order),
            skipped=skipped,
            origin=self.origin,
        )

    def _sort_by_person(self) -> NDArray[np.int64]:
        """Return the positions of all faces by name of the person, then by digest, each picture of a person once."""
        by_name = sorted(range(len(self.people)), key=lambda label: self.people[label])
        rank = np.empty(len(self.people), np.int64)
        rank[by_name] = np.arange(len(self.people))
        high, low = np.ascontiguousarray(self.digests).view(">u8").T
        order = np.lexsort((low, high, rank[self.labels])).astype(np.int64, copy=False)
        columns = [column[order] for column in (self.labels, high, low)]
        is_copy = np.zeros(len(order), np.bool_)
        is_copy[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
        kept: NDArray[np.int64] = order[~is_copy]
        return kept

    def _select(self, positions: NDArray[np.int64]) -> FaceSet:
        """Return a set of the faces at these positions, which are sorted by person."""
        used, labels = np.unique(self.labels[positions], return_inverse=True)
        names = [self.people[label] for label in used]
        order = sorted(range(len(names)), key=names.__getitem__)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        return FaceSet(
            chips=self.chips,
            rows=self.rows[positions],
            labels=rank[labels],
            people=tuple(names[i] for i in order),
            sources=_Selected(self.sources, positions),
        )

    def _digest(self, order: NDArray[np.int64]) -> str:
        digest = hashlib.sha256()
        for label, picture in zip(self.labels[order].tolist(), self.digests[order], strict=True):
            digest.update(f"{self.people[label]}\t{picture.tobytes().hex()}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


class _Selected(Sequence[str]):
    """Some of a sequence, without a copy."""

    def __init__(self, values: Sequence[str], positions: NDArray[np.int64]) -> None:
        self._values, self._positions = values, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> str:  # type: ignore[override] # no slices
        return self._values[int(self._positions[index])]
