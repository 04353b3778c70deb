"""The main face of each of many pictures, by a pack: the input of every measurement.

Faces are measured once for the same pictures, pack and degradation, and cached in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import CacheError
from faceclust.evaluation.degradations import Degradation
from faceclust.evaluation.main_face_finder import MainFace, MainFaceFinder, Picture, PictureTask
from faceclust.evaluation.npz_files import read_npz
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.user_folders import cache_folder
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.progress import Progress, SilentProgress
from faceclust.scan.examine_pool import PHOTO_TIME_LIMIT
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.types import Float32, check_array
from faceclust.version import __version__

_MIN_PICTURES_PER_WORKER = 32  # for fewer, opening the models again takes longer than it saves
_PICTURES_PER_FILE = 256  # cached together: an interrupted run loses at most so many for each worker
_CACHE_VERSION = 3  # raised whenever the same pictures give other numbers, such as `quality`


@dataclass(frozen=True)
class MainFaces:
    """One face for each of n pictures: the one nearest to the picture's centre.

    `found` (n,) is false for a picture without a face, whose other values are all 0. `chip` and
    `mirror` float32 (n, d) are the embedder's unscaled vectors of the chip and its mirror image.
    `boxes` float32 (n, 4) and `landmarks` float32 (n, 5, 2) are in pixels of the picture. `scores` and
    `quality` float32 (n,) are the same as in caches.
    """

    found: NDArray[np.bool_]
    chip: Float32
    mirror: Float32
    boxes: Float32
    landmarks: Float32
    scores: Float32
    quality: Float32

    def __post_init__(self) -> None:
        n = len(self.found)
        check_array("found", self.found, (n,), np.bool_)
        check_array("chip", self.chip, (n, None), np.float32)
        check_array("mirror", self.mirror, self.chip.shape, np.float32)
        check_array("boxes", self.boxes, (n, 4), np.float32)
        check_array("landmarks", self.landmarks, (n, 5, 2), np.float32)
        for name in ("scores", "quality"):
            check_array(name, getattr(self, name), (n,), np.float32)

    @property
    def norms(self) -> Float32:
        """The norms of the chips' vectors, (n,)."""
        return np.asarray(np.linalg.norm(self.chip, axis=1), np.float32)

    def embeddings(self, radius: float, *, mirrored: bool) -> Float32:
        """Embeddings float32 (n, d) of norm `radius`; 0 for a picture without a face.

        An embedding is the chip's vector or, if `mirrored`, the mean with its mirror image's.
        """
        vectors = self.chip + self.mirror if mirrored else self.chip
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors * (radius / np.maximum(norms, 1e-12)), np.float32)


@dataclass(frozen=True)
class _Batch:
    """Pictures that are cached together. `start`: the position of the first among all pictures."""

    start: int
    pictures: Sequence[Picture]
    degradations: Sequence[Degradation | None]
    cache_file: Path

    def tasks(self) -> Iterator[PictureTask]:
        for offset, (picture, degradation) in enumerate(zip(self.pictures, self.degradations, strict=True)):
            yield PictureTask(self.start + offset, picture, degradation)


def find_main_faces(
    pictures: Sequence[Picture],
    pack: Pack,
    *,
    degradation: Degradation | Sequence[Degradation | None] | None = None,
    aligned: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    description: str = "finding faces",
) -> MainFaces:
    """Find the main face of each picture, in their order; from the cache if nothing has changed.

    `degradation` is one for all pictures, or a list with one for each. `aligned` pictures are faces
    cut by ArcFace's template: the detector is skipped (see `evaluation.aligned_crops`). `workers` is
    the number of processes, one a core by default. A picture that cannot be read has no face, nor has
    one that kills its process twice. Raises PackError if the models cannot be used.
    """
    degradations = degradation if isinstance(degradation, Sequence) else [degradation] * len(pictures)
    batches = []
    for start in range(0, len(pictures), _PICTURES_PER_FILE):
        part = slice(start, start + _PICTURES_PER_FILE)
        key = _cache_key(pictures[part], pack, degradations[part], aligned)
        batches.append(_Batch(start, pictures[part], degradations[part], _cache_folder() / f"{key}.npz"))
    faces = {batch.start: _read_cached(batch.cache_file) for batch in batches}
    if missing := [batch for batch in batches if faces[batch.start] is None]:
        require_files(pack)
        progress = progress or SilentProgress()
        count = min(workers or os.cpu_count() or 1, max(1, len(pictures) // _MIN_PICTURES_PER_WORKER))
        progress.start(description, sum(len(batch.pictures) for batch in missing), "pictures")
        try:
            for batch, measured in _measure(missing, pack, aligned, count, progress):
                faces[batch.start] = measured
        finally:
            progress.finish()
    return _concatenate([_stack([], pack.embedder.dimension), *(found for found in faces.values() if found)])


def _measure(
    batches: Sequence[_Batch], pack: Pack, aligned: bool, workers: int, progress: Progress
) -> Iterator[tuple[_Batch, MainFaces]]:
    """Measure batches in worker processes, and cache each one that is complete."""
    batch_of = {batch.start: batch for batch in batches}
    rows: dict[int, dict[int, MainFace | None]] = {batch.start: {} for batch in batches}
    uncacheable: set[int] = set()
    tasks = (task for batch in batches for task in batch.tasks())
    worker = partial(MainFaceFinder, pack, aligned)
    for task, outcome in run_isolated(worker, tasks, workers, lambda: False, PHOTO_TIME_LIMIT):
        start = task.index - task.index % _PICTURES_PER_FILE
        if isinstance(outcome, LostTask):
            progress.note(_describe_loss(task, outcome))
            if outcome.cause is not LossCause.CRASHED:  # memory or time may suffice another day
                uncacheable.add(start)
            outcome = None
        rows[start][task.index] = outcome
        progress.advance()
        if len(rows[start]) == len(batch_of[start].pictures):
            found = rows.pop(start)
            faces = _stack([found[index] for index in sorted(found)], pack.embedder.dimension)
            if start not in uncacheable:
                _write_cached(batch_of[start].cache_file, faces)
            yield batch_of[start], faces


def _describe_loss(task: PictureTask, lost: LostTask) -> str:
    name = f"picture {task.index + 1}" if isinstance(task.picture, bytes) else str(task.picture)
    died = lost.cause in (LossCause.CRASHED, LossCause.KILLED)
    return f"skipped {name}: its process {'died twice:' if died else 'took longer than'} {lost.detail}"


def _stack(faces: Sequence[MainFace | None], dimension: int) -> MainFaces:
    def column(name: str, *shape: int) -> Float32:
        values = [np.zeros(shape) if face is None else getattr(face, name) for face in faces]
        return np.array(values, np.float32).reshape(len(faces), *shape)

    return MainFaces(
        found=np.array([face is not None for face in faces], np.bool_),
        chip=column("chip", dimension),
        mirror=column("mirror", dimension),
        boxes=column("box", 4),
        landmarks=column("landmarks", 5, 2),
        scores=column("score"),
        quality=column("quality"),
    )


def _concatenate(parts: Sequence[MainFaces]) -> MainFaces:
    columns = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(MainFaces))
    return MainFaces(*columns)


def _cache_key(
    pictures: Sequence[Picture], pack: Pack, degradations: Sequence[Degradation | None], aligned: bool
) -> str:
    """A digest of everything the faces depend on.

    Files count by path, size and time stamp, pictures held in memory by their bytes, a degradation by
    its repr.
    """
    settings = f"{__version__} {_CACHE_VERSION} {pack.fingerprint} {degradations!r}{' aligned' if aligned else ''}"
    digest = hashlib.blake2b(settings.encode(), digest_size=16)
    for picture in pictures:
        if isinstance(picture, bytes):
            digest.update(hashlib.blake2b(picture).digest())
            continue
        with contextlib.suppress(OSError):
            status = picture.stat()
            digest.update(f"\n{status.st_size} {status.st_mtime_ns}".encode())
        digest.update(f"\n{picture.resolve()}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _cache_folder() -> Path:
    return cache_folder() / "measured"


def _read_cached(path: Path) -> MainFaces | None:
    try:
        return MainFaces(**read_npz(path, [field.name for field in fields(MainFaces)]))
    except (OSError, ValueError, TypeError):
        return None


def _write_cached(path: Path, faces: MainFaces) -> None:
    arrays = {field.name: getattr(faces, field.name) for field in fields(MainFaces)}
    with contextlib.suppress(CacheError):  # a full disk costs only another measurement
        make_private_folder(path.parent)
        write_private_atomically(path, lambda stream: np.savez(stream, **arrays), durable=False)
