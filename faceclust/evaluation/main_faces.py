"""The main face of each of many pictures, by a pack: the input of every measurement.

Each picture's faces are cached by pack, and its detections by detector: a second pack with the same detector
only embeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faceclust.evaluation.degradations import Degradation
from faceclust.evaluation.main_face_finder import MainFace, MainFaceFinder, Picture, PictureTask
from faceclust.evaluation.picture_cache import PictureCache, picture_key
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.progress import Progress, SilentProgress
from faceclust.scan.examine_pool import PHOTO_TIME_LIMIT
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.types import Detections, Float32, check_array
from faceclust.version import __version__

_MIN_PICTURES_PER_WORKER = 32  # for fewer, opening the models again takes longer than it saves
_CACHE_VERSION = 4  # raised whenever the same pictures give other numbers, such as `quality`


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
    """Find the main face of each picture, in their order; from the cache if the picture has not changed.

    `degradation` is one for all pictures, or a list with one for each. `aligned` pictures are faces
    cut by ArcFace's template: the detector is skipped (see `evaluation.aligned_crops`). `workers` is
    the number of processes, one a core by default. A picture that cannot be read has no face, nor has
    one that kills its process twice. Raises PackError if the models cannot be used.
    """
    degradations = degradation if isinstance(degradation, Sequence) else [degradation] * len(pictures)
    keys = [picture_key(*one) for one in zip(pictures, degradations, strict=True)]
    cache = PictureCache(MainFaces, _pack_settings(pack, aligned))
    faces = cache.read(set(keys))
    if missing := {key: index for index, key in enumerate(keys) if key not in faces}:
        require_files(pack)
        known = {} if aligned else _detection_cache(pack).read(missing.keys())
        tasks = [PictureTask(i, pictures[i], degradations[i], known.get(key)) for key, i in missing.items()]
        count = min(workers or os.cpu_count() or 1, max(1, len(pictures) // _MIN_PICTURES_PER_WORKER))
        progress = progress or SilentProgress()
        progress.start(description, len(tasks), "pictures")
        try:
            for task, found in _measure(tasks, keys, cache, pack, aligned, count, progress):
                faces[keys[task.index]] = found
        finally:
            progress.finish()
    return _concatenate([_stack([], pack.embedder.dimension), *(faces[key] for key in keys)])


def _measure(
    tasks: Sequence[PictureTask],
    keys: Sequence[bytes],
    cache: PictureCache[MainFaces],
    pack: Pack,
    aligned: bool,
    workers: int,
    progress: Progress,
) -> Iterator[tuple[PictureTask, MainFaces]]:
    """Measure pictures in worker processes; cache their faces and, for other packs, their detections."""
    detections = _detection_cache(pack)
    worker = partial(MainFaceFinder, pack, aligned)
    try:
        for task, outcome in run_isolated(worker, tasks, workers, lambda: False, PHOTO_TIME_LIMIT):
            key = keys[task.index]
            if isinstance(outcome, LostTask):
                faces = _stack([None], pack.embedder.dimension)
                progress.note(_describe_loss(task, outcome))
                if outcome.cause is LossCause.CRASHED:  # memory or time may suffice another day
                    cache.add(key, faces)
            else:
                faces = _stack([outcome.main], pack.embedder.dimension)
                cache.add(key, faces)
                if task.detections is None and not aligned:
                    detections.add(key, outcome.detections)
            progress.advance()
            yield task, faces
    finally:
        detections.flush()
        cache.flush()


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


def _detection_cache(pack: Pack) -> PictureCache[Detections]:
    return PictureCache(Detections, describe_detector(pack))


def describe_detector(pack: Pack) -> str:
    """Describe everything that detections depend on, besides the picture. Files count by their hashes."""
    spec = pack.detector
    sha256 = {file.name: file.sha256 for file in pack.files}
    files = sorted((role, sha256[name]) for role, name in spec.files.items())
    refiner = None if spec.landmarks is None else sha256[spec.landmarks]
    settings = (spec.kind, spec.long_side, spec.smallest, sorted(spec.settings.items()), files, refiner)
    return f"{__version__} {_CACHE_VERSION} {settings!r}"


def _pack_settings(pack: Pack, aligned: bool) -> str:
    """Describe everything that a main face depends on, besides the picture. Raw vectors have no radius."""
    sha256 = {file.name: file.sha256 for file in pack.files}
    spec = {field.name: getattr(pack.embedder, field.name) for field in fields(pack.embedder)}
    spec |= {"radius": None, "file": sha256[pack.embedder.file]}
    return f"{describe_detector(pack)} {spec!r}{' aligned' if aligned else ''}"
