"""Try a pack's models on drawn faces: a sanity check that needs no photos."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from faceclust.errors import PackError
from faceclust.packs.pack import EmbedderSpec, Pack
from faceclust.types import Float32, UInt8
from faceclust.vision.pipeline import FacePipeline

#: Squared L2 of unit vectors. 8-bit models deviate by up to this much with the rest of the batch.
_MAX_BATCH_DEVIATION = 1e-3
#: Squared L2 of the unit vectors of two different faces.
_MIN_DISTANCE = 1e-5
_TIMING_RUNS = 3
_PREPROCESSING_HINT = "check mean and scale"


@dataclass(frozen=True)
class PackTrial:
    """The results of a trial run.

    `dimension` is that of the embeddings. `milliseconds` is the time per face on one core, including
    the mirror image if the pack uses one. `norms` are the raw norms of two drawn faces.
    """

    dimension: int
    milliseconds: float
    norms: tuple[float, float]


def try_pack(pack: Pack) -> PackTrial:
    """Run a pack's models on two drawn faces. Raises PackError if they do not run, or if embeddings
    are not finite, are equal, or depend on the batch."""
    analyser = FacePipeline(pack)
    chips = draw_faces(pack.embedder)
    vectors = analyser.raw_vectors(chips)[0]
    one_by_one = np.concatenate([analyser.raw_vectors(chips[i : i + 1])[0] for i in (0, 1)])
    norms = analyser.raw_norms(chips)
    if problem := _find_problem(vectors, one_by_one, norms):
        message, hint = problem
        raise PackError(f"pack {pack.name!r}: {pack.embedder.file} {message}", hint=hint)
    return PackTrial(vectors.shape[1], _measure_milliseconds(analyser, chips), (float(norms[0]), float(norms[1])))


def _find_problem(vectors: Float32, one_by_one: Float32, norms: Float32) -> tuple[str, str | None] | None:
    """Check the raw vectors (2, d) of two faces, the same computed one by one, and their norms.
    Return the message and the hint of the first problem."""
    if not np.isfinite(vectors).all():
        return "outputs numbers that are not finite", _PREPROCESSING_HINT
    if np.linalg.norm(vectors, axis=1).min() < 1e-6:
        return "outputs a zero vector for a face", _PREPROCESSING_HINT
    units, one_by_one = _normalise(vectors), _normalise(one_by_one)
    if ((units[0] - units[1]) ** 2).sum() < _MIN_DISTANCE:
        return "outputs the same vector for different faces", f"{_PREPROCESSING_HINT}; is it a face embedder?"
    if ((units - one_by_one) ** 2).sum(axis=1).max() > _MAX_BATCH_DEVIATION:
        return "outputs a different vector for a face if another is in the batch", None
    if not (np.isfinite(norms).all() and (norms >= 0).all()):
        return "outputs norms that are negative or not finite", "check norm_output"
    return None


def _normalise(vectors: Float32) -> Float32:
    units: Float32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    return units


def _measure_milliseconds(analyser: FacePipeline, chips: UInt8) -> float:
    batch = np.concatenate([chips] * 4)
    times = []
    for _ in range(_TIMING_RUNS):
        start = time.perf_counter()
        analyser.raw_vectors(batch)
        times.append(time.perf_counter() - start)
    passes = 1.0 if analyser.pack.embedder.mirror else 0.5
    return 1000 * min(times) * passes / len(batch)


def draw_faces(spec: EmbedderSpec) -> UInt8:
    """Draw two clearly different faces, as chips uint8 (2, h, w, 3)."""
    faces = [("#8c5a3a", "#241a14", "#2f5d62", 0.30), ("#f6d7c0", "#b98a4a", "#a4502a", 0.38)]
    return np.stack([_draw_face(spec, *face) for face in faces])


def _draw_face(spec: EmbedderSpec, skin: str, hair: str, background: str, width: float) -> UInt8:
    (w, h), (left, right, nose, *mouth) = spec.chip_size, spec.template.tolist()
    image = Image.new("RGB", (w, h), background)
    draw = ImageDraw.Draw(image)

    def oval(x: float, y: float, x_radius: float, y_radius: float, fill: str) -> None:
        draw.ellipse([x - x_radius * w, y - y_radius * h, x + x_radius * w, y + y_radius * h], fill=fill)

    oval(nose[0], nose[1] - 0.1 * h, width + 0.08, 0.55, hair)
    oval(nose[0], nose[1], width, 0.48, skin)
    for x, y in (left, right):
        oval(x, y, 0.07, 0.035, "#ffffff")
        oval(x, y, 0.03, 0.035, "#3b2a1c")
        draw.line([x - 0.08 * w, y - 0.08 * h, x + 0.08 * w, y - 0.08 * h], hair, max(2, w // 30))
    oval(nose[0], nose[1], 0.03, 0.04, hair)
    draw.line([*mouth[0], *mouth[1]], "#8e3b34", max(3, w // 20))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(w / 112)))
