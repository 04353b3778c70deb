"""Chips of faces on photos: cut once in worker processes, then read from the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.main_faces import describe_detector
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import require_files
from faceclust.progress import Progress
from faceclust.scan.examine_pool import PHOTO_TIME_LIMIT
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.training.data.chip_cutter import NO_FACE, ChipCutter, CutTask, FoundFace
from faceclust.training.data.row_file import KEY_SIZE, RowFile
from faceclust.types import Box, SkipReason, UInt8

_FACE_ROW = np.dtype([("reason", "S40"), ("turn", "u1"), ("landmarks", "<f4", (5, 2))])
_FACES_PER_WRITE = 256  # an interrupted run loses nothing; one that is killed loses at most so many
_MIN_PHOTOS_PER_WORKER = 32  # for fewer, opening the models again takes longer than it saves
#: Reasons that the same photo gives again.
_LASTING_REASONS = frozenset(
    [
        NO_FACE,
        *(SkipReason.EMPTY, SkipReason.TRUNCATED, SkipReason.NOT_A_PHOTO, SkipReason.TOO_LARGE, SkipReason.TOO_SMALL),
        *(SkipReason.CRASHED, SkipReason.FAILED),
    ]
)
#: The reason to leave out a photo whose process died or was killed, by the cause.
_REASONS_OF_LOSS = {
    LossCause.CRASHED: SkipReason.CRASHED,
    LossCause.KILLED: SkipReason.OUT_OF_MEMORY,
    LossCause.PREPARE_TIMEOUT: SkipReason.TOO_SLOW,
    LossCause.WORK_TIMEOUT: SkipReason.TOO_SLOW,
}


@dataclass(frozen=True)
class WantedFace:
    """A face on a photo with this content hash: the one in `box`, in pixels of the upright photo, or, if that is None,
    the one nearest to the photo's centre."""

    path: Path
    content: str
    box: Box | None = None

    @property
    def key(self) -> bytes:
        """Identifies the face wherever the photo lies: the content hash, or a hash of it and the box."""
        if self.box is None:
            return bytes.fromhex(self.content)
        box = ",".join(str(round(side)) for side in self.box)
        return hashlib.blake2b(f"{self.content} {box}".encode(), digest_size=KEY_SIZE).digest()


@dataclass(frozen=True)
class StoredChips:
    """Chips mapped from the cache, uint8 (n, h, w, 3)."""

    array: UInt8

    def __len__(self) -> int:
        return len(self.array)

    def read(self, indices: NDArray[np.int64]) -> UInt8:
        """Return chips uint8 (n, h, w, 3) RGB."""
        return np.asarray(self.array[indices])


@dataclass(frozen=True)
class PreparedFaces:
    """The chips of wanted faces (n,): the positions `rows` int64 (n,) in `chips`, −1 for a face left out. `found`
    has the face, or the reason."""

    chips: StoredChips
    rows: NDArray[np.int64]
    found: tuple[FoundFace, ...]


def prepare_chips(
    wanted: Sequence[WantedFace], input_size: tuple[int, int], workers: int | None, progress: Progress
) -> PreparedFaces:
    """Cut the chips of faces by the default pack's detector, or take them from the cache.

    Faces are cached by the content of their photo, chips also by `input_size` (width, height): chips of another size
    are cut without detecting faces again. A photo that kills its process twice is left out. Raises PackError if the
    models cannot be used, CacheError if the cache cannot be written.
    """
    store = _ChipStore(input_size)
    store.look_up(wanted)
    if store.list_tasks(wanted):
        with store.faces.lock(progress):
            store.look_up(wanted)  # another run may have been there
            store.cut(store.list_tasks(wanted), workers, progress)
        store.look_up(wanted)
    rows = np.array([store.rows.get(one.key, -1) for one in wanted], np.int64)
    return PreparedFaces(StoredChips(store.chips.rows()), rows, tuple(store.found[one.key] for one in wanted))


class _ChipStore:
    """The two files of the cache: faces by the detector, chips by detector and size.

    `found` are the faces that were looked up or found since, by key, and `rows` the positions of their chips.
    """

    def __init__(self, input_size: tuple[int, int]) -> None:
        self._pack, self._size = load_pack(DEFAULT_PACK), input_size
        settings = describe_detector(self._pack)
        self.faces = RowFile("faces", settings, _FACE_ROW)
        self.chips = RowFile("chips", f"{settings} arcface", np.dtype((np.uint8, (input_size[1], input_size[0], 3))))
        self.found: dict[bytes, FoundFace] = {}
        self.rows: dict[bytes, int] = {}

    def look_up(self, wanted: Sequence[WantedFace]) -> None:
        keys = {one.key for one in wanted}
        table = self.faces.rows()
        for key, row in self.faces.find(keys).items():
            reason, turn, landmarks = table[row]
            self.found[key] = FoundFace(reason.decode("utf-8", "replace"), int(turn) % 4, np.array(landmarks))
        self.rows = self.chips.find(keys)

    def list_tasks(self, wanted: Sequence[WantedFace]) -> list[CutTask]:
        """Return a task for each photo with a face that was not found before, or has neither a chip nor a reason."""
        by_content: dict[str, dict[bytes, WantedFace]] = {}
        for one in wanted:
            found = self.found.get(one.key)
            if found is None or not (found.reason or one.key in self.rows):
                by_content.setdefault(one.content, {})[one.key] = one
        return [
            CutTask(
                next(iter(faces.values())).path,
                content,
                tuple(face.box for face in faces.values()),
                tuple(self.found.get(key) for key in faces),
            )
            for content, faces in by_content.items()
        ]

    def cut(self, tasks: Sequence[CutTask], workers: int | None, progress: Progress) -> None:
        """Find faces, cut their chips and write both to the cache."""
        if not tasks:
            return
        require_files(self._pack)
        self.chips.require_space(sum(len(task.boxes) for task in tasks))
        if workers is None:
            workers = min(os.cpu_count() or 1, max(1, len(tasks) // _MIN_PHOTOS_PER_WORKER))
        cutter = partial(ChipCutter, self._pack, self._size)
        faces: dict[bytes, NDArray[Any]] = {}
        chips: dict[bytes, NDArray[Any]] = {}
        progress.start("finding faces", len(tasks), "photos")
        try:
            for task, outcome in run_isolated(cutter, tasks, workers, lambda: False, PHOTO_TIME_LIMIT):
                for key, face, chip in _pair_with_keys(task, outcome, progress):
                    if (not face.reason or face.reason in _LASTING_REASONS) and key not in self.found:
                        faces[key] = np.array((face.reason.encode(), face.turn, face.landmarks), _FACE_ROW)
                    self.found[key] = face
                    if chip is not None and key not in self.rows:
                        chips[key] = chip
                if len(faces) + len(chips) >= 2 * _FACES_PER_WRITE:
                    self._write(faces, chips)
                progress.advance()
        finally:
            progress.finish()
            self._write(faces, chips)

    def _write(self, faces: dict[bytes, NDArray[Any]], chips: dict[bytes, NDArray[Any]]) -> None:
        self.chips.append(chips)
        self.faces.append(faces)
        faces.clear()
        chips.clear()


def _pair_with_keys(
    task: CutTask, outcome: list[tuple[FoundFace, UInt8 | None]] | LostTask, progress: Progress
) -> Iterator[tuple[bytes, FoundFace, UInt8 | None]]:
    if isinstance(outcome, LostTask):
        reason = _REASONS_OF_LOSS[outcome.cause].value
        progress.note(f"skipped {task.path}: {reason} ({outcome.detail})")
        outcome = [(FoundFace.missing(reason), None)] * len(task.boxes)
    for box, (face, chip) in zip(task.boxes, outcome, strict=True):
        yield WantedFace(task.path, task.content, box).key, face, chip
