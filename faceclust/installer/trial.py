"""A pack's models tried on made pictures: what can be told of an embedder without anybody's photos."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from faceclust.errors import PackError
from faceclust.packs.pack import EmbedderSpec, Pack
from faceclust.types import UInt8
from faceclust.vision.pipeline import FaceAnalyser

_MAX_BATCH_DEVIATION = 1e-3  # squared L2 of unit vectors: 8-bit models give as much for another batch
_MIN_DISTANCE = 1e-5
_TIMING_RUNS = 3


@dataclass(frozen=True)
class PackTrial:
    """`dimension` of the embeddings; `milliseconds` a face on one processor core, mirrored where the
    pack does that; `norms`: the lengths of the model's own vectors of two made faces, as it tells them."""

    dimension: int
    milliseconds: float
    norms: tuple[float, float]


def try_pack(pack: Pack) -> PackTrial:
    """Open a pack's models and run them. Raises PackError where they cannot be, or the embedder's
    vectors are not finite, are all the same, or hang on what else is in the batch."""
    analyser = FaceAnalyser(pack)
    chips = draw_faces(pack.embedder)
    both = analyser.raw_vectors(chips)[0]
    alone = np.concatenate([analyser.raw_vectors(chips[i : i + 1])[0] for i in (0, 1)])
    where = f"pack {pack.name!r}: {pack.embedder.file}"
    if not np.isfinite(both).all():
        raise PackError(f"{where} gives numbers that are not finite", hint="do mean and scale fit it?")
    norms = np.linalg.norm(both, axis=1)
    if norms.min() < 1e-6:
        raise PackError(f"{where} gives a vector of length 0 for a face", hint="do mean and scale fit it?")
    units, alone = both / norms[:, None], alone / np.maximum(np.linalg.norm(alone, axis=1, keepdims=True), 1e-12)
    if ((units[0] - units[1]) ** 2).sum() < _MIN_DISTANCE:
        raise PackError(
            f"{where} gives the same vector for different pictures",
            hint="is it a face embedder? do mean and scale fit?",
        )
    if ((units - alone) ** 2).sum(axis=1).max() > _MAX_BATCH_DEVIATION:
        raise PackError(f"{where} gives a face another vector when a second one is with it")
    told = analyser.raw_norms(chips)
    if not (np.isfinite(told).all() and (told >= 0).all()):
        raise PackError(f"{where} gives norms that are no lengths", hint="is norm_output the right one?")
    return PackTrial(both.shape[1], _measure_milliseconds(analyser, chips), (float(told[0]), float(told[1])))


def _measure_milliseconds(analyser: FaceAnalyser, chips: UInt8) -> float:
    batch = np.concatenate([chips] * 4)
    times = []
    for _ in range(_TIMING_RUNS):
        began = time.perf_counter()
        analyser.raw_vectors(batch)
        times.append(time.perf_counter() - began)
    passes = 1.0 if analyser.pack.embedder.mirror else 0.5
    return 1000 * min(times) * passes / len(batch)


def draw_faces(spec: EmbedderSpec) -> UInt8:
    """Two drawn faces, as unlike as two people, as chips uint8 (2, h, w, 3)."""
    looks = [("#8c5a3a", "#241a14", "#2f5d62", 0.30), ("#f6d7c0", "#b98a4a", "#a4502a", 0.38)]
    return np.stack([_draw_face(spec, *look) for look in looks])


def _draw_face(spec: EmbedderSpec, skin: str, hair: str, wall: str, width: float) -> UInt8:
    (w, h), (left, right, nose, *mouth) = spec.chip_size, spec.template.tolist()
    image = Image.new("RGB", (w, h), wall)
    draw = ImageDraw.Draw(image)

    def oval(x: float, y: float, across: float, down: float, fill: str) -> None:
        draw.ellipse([x - across * w, y - down * h, x + across * w, y + down * h], fill=fill)

    oval(nose[0], nose[1] - 0.1 * h, width + 0.08, 0.55, hair)
    oval(nose[0], nose[1], width, 0.48, skin)
    for x, y in (left, right):
        oval(x, y, 0.07, 0.035, "#ffffff")
        oval(x, y, 0.03, 0.035, "#3b2a1c")
        draw.line([x - 0.08 * w, y - 0.08 * h, x + 0.08 * w, y - 0.08 * h], hair, max(2, w // 30))
    oval(nose[0], nose[1], 0.03, 0.04, hair)
    draw.line([*mouth[0], *mouth[1]], "#8e3b34", max(3, w // 20))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(w / 112)))
