"""The main face of each of many pictures, by a pack's models: what every measurement is made of.

Worked out once for the same pictures, models and treatment, then kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import platformdirs
from numpy.typing import NDArray

from faceclust.errors import CacheError, FaceclustError
from faceclust.evaluation.aligned_crops import crop_detections, decode_crop
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.packs.pack import Pack
from faceclust.packs.verify import require_files
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.progress import Progress, SilentProgress
from faceclust.types import Float32, PhotoRef, UInt8, check_array
from faceclust.version import __version__
from faceclust.vision.pipeline import FaceAnalyser

#: What is done to a picture's upright pixels (H, W, 3) before its face is looked for: a function of
#: a module, since it goes to other processes. Its `repr` tells treatments apart.
Degradation = Callable[[UInt8], UInt8]
#: A file, or an encoded picture that another file holds.
Picture = Path | bytes
_CHUNK = 32  # pictures a worker takes at a time
_PICTURES_PER_FILE = 256  # pictures kept together: what is lost at most where a run is stopped
_CACHE_VERSION = 3  # one more whenever the same pictures give other numbers, such as `quality`


@dataclass(frozen=True)
class MainFaces:
    """One face of each of n pictures: of several the one nearest the picture's middle.

    `found` (n,): whether there is one; all else of a picture without is 0. `chip` and `mirror`
    float32 (n, d): the model's own vectors of the chip and of its mirror image, not scaled. `boxes`
    float32 (n, 4) and `landmarks` float32 (n, 5, 2) in pixels of the picture; `scores`, `quality`
    float32 (n,) as in the caches."""

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
        """The lengths of the chips' vectors, (n,)."""
        return np.asarray(np.linalg.norm(self.chip, axis=1), np.float32)

    def embeddings(self, radius: float, *, mirrored: bool) -> Float32:
        """float32 (n, d) of norm `radius`: of the chip, or of the mean of the chip's and its mirror
        image's vectors; 0 where no face was found."""
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
    description: str = "looking at pictures",
) -> MainFaces:
    """The main face of each picture, in their order, from the cache where all is as it was.

    `treatment`: one for all pictures, or a list with one for each. `aligned`: the pictures are faces
    cut out as ArcFace wants them, none is looked for (see `evaluation.aligned_crops`). `workers`: processes,
    default one a core. Raises PackError where the models cannot be used. A
    file that is no picture counts as one without a face.
    """
    treatments = degradation if isinstance(degradation, Sequence) else [degradation] * len(pictures)
    parts = [slice(start, start + _PICTURES_PER_FILE) for start in range(0, len(pictures), _PICTURES_PER_FILE)] or [
        slice(0)
    ]
    files = [_cache_folder() / f"{_cache_key(pictures[part], pack, treatments[part], aligned)}.npz" for part in parts]
    known = [_read_cached(file) for file in files]
    if missing := [number for number, faces in enumerate(known) if faces is None]:
        require_files(pack)
        progress = progress or SilentProgress()
        progress.start(description, sum(len(pictures[parts[number]]) for number in missing), "pictures")
        count = min(workers or os.cpu_count() or 1, max(1, len(pictures) // _CHUNK))
        look = partial(_find_main_face, aligned=aligned)
        try:
            with ProcessPoolExecutor(count, initializer=_open_models, initargs=(pack,)) as pool:
                begun = [
                    pool.map(look, pictures[parts[number]], treatments[parts[number]], chunksize=_CHUNK)
                    for number in missing
                ]
                for number, rows in zip(missing, begun, strict=True):
                    found = []
                    for row in rows:
                        found.append(row)
                        progress.advance()
                    faces = known[number] = _stack_rows(found, pack.embedder.dimension)
                    _write_cached(files[number], faces)
        except BrokenProcessPool as error:
            raise FaceclustError("a process looking at pictures died", hint="is there enough memory?") from error
        finally:
            progress.finish()
    return _concatenate([faces for faces in known if faces is not None])


_FaceRow = tuple[Float32, Float32, Float32, Float32, float, float]

#: A worker's own, opened once.
_analyser: FaceAnalyser | FaceclustError | None = None


def _open_models(pack: Pack) -> None:
    global _analyser
    try:
        _analyser = FaceAnalyser(pack)
    except FaceclustError as error:  # said by the first picture: here it would end the process
        _analyser = error


def _find_main_face(picture: Picture, treatment: Degradation | None, *, aligned: bool) -> _FaceRow | None:
    """In a worker: the picture's main face, None where there is none."""
    if isinstance(_analyser, FaceclustError):
        raise _analyser
    assert _analyser is not None
    try:
        pixels = decode_crop(picture) if isinstance(picture, bytes) else _decode_file(picture)
    except (OSError, UndecodableError):
        return None
    if treatment is not None:
        pixels = treatment(pixels)
    seen = crop_detections(pixels) if aligned else _analyser.refine(pixels, _analyser.detect(pixels))
    ((found, _, quality, _),) = _analyser.embed([seen], [_analyser.align(pixels, seen)])
    if not len(found):
        return None
    middle = np.array(pixels.shape[1::-1]) / 2
    off = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - middle) ** 2
    main = int(off.sum(axis=1).argmin())
    face = found.take(np.array([main]))
    chip, mirror = _analyser.raw_vectors(_analyser.align(pixels, face))
    if not np.isfinite([chip, mirror]).all():  # of a mirror image that the models do not look at otherwise
        return None
    return chip[0], mirror[0], face.boxes[0], face.landmarks[0], float(face.scores[0]), float(quality[main])


def _decode_file(path: Path) -> UInt8:
    data = path.read_bytes()
    return decode_photo(data, PhotoRef(path.name, len(data), 0)).pixels


def _stack_rows(rows: Sequence[_FaceRow | None], dimension: int) -> MainFaces:
    shapes: tuple[tuple[int, ...], ...] = ((dimension,), (dimension,), (4,), (5, 2), (), ())
    nothing = tuple(np.zeros(shape, np.float32) for shape in shapes)
    columns = zip(*(row or nothing for row in rows), strict=True) if rows else [()] * len(shapes)
    arrays = (
        np.array(list(column), np.float32).reshape(len(rows), *shape)
        for column, shape in zip(columns, shapes, strict=True)
    )
    return MainFaces(np.array([row is not None for row in rows], np.bool_), *arrays)


def _concatenate(parts: Sequence[MainFaces]) -> MainFaces:
    columns = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(MainFaces))
    return MainFaces(*columns)


def _cache_key(
    pictures: Sequence[Picture], pack: Pack, treatment: Degradation | Sequence[Degradation | None] | None, aligned: bool
) -> str:
    """What the outcome depends on: the pictures by path, size and time, or by their bytes; the
    models; the treatment."""
    how = f"{__version__} {_CACHE_VERSION} {pack.fingerprint} {treatment!r}{' aligned' if aligned else ''}"
    digest = hashlib.blake2b(how.encode(), digest_size=16)
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
    return platformdirs.user_cache_path("faceclust") / "measured"


def _read_cached(path: Path) -> MainFaces | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return MainFaces(**{field.name: kept[field.name] for field in fields(MainFaces)})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write_cached(path: Path, faces: MainFaces) -> None:
    arrays = {field.name: getattr(faces, field.name) for field in fields(MainFaces)}
    with contextlib.suppress(CacheError):  # it is measured again then
        make_private_folder(path.parent)
        write_private_atomically(path, lambda stream: np.savez(stream, **arrays), durable=False)
