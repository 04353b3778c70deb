"""Chips to embeddings: points of one Euclidean space, all of the pack's radius."""

from __future__ import annotations

import numpy as np

from faceclust.packs.manifest import EmbedderSpec, Pack
from faceclust.packs.session import Model, OnnxModel
from faceclust.types import Float32, UInt8, check_array

_BATCH = 8  # measured: larger batches cost more a face on one thread


class Embedder:
    """`embedder(chips)` gives one embedding a chip."""

    def __init__(self, model: Model, spec: EmbedderSpec) -> None:
        self._model, self._spec = model, spec

    def __call__(self, chips: UInt8) -> Float32:
        """Chips uint8 (n, h, w, 3) RGB → float32 (n, d), each row of norm `spec.radius`.

        With `spec.mirror` a row is the mean of the chip's and its mirror image's vectors,
        before it is scaled. Raises ValueError for chips of another shape.
        """
        spec = self._spec
        check_array("chips", chips, (None, spec.chip_size[1], spec.chip_size[0], 3), np.uint8)
        vectors = np.empty((len(chips), spec.dimension), np.float32)
        for start in range(0, len(chips), _BATCH):
            part = chips[start : start + _BATCH]
            vectors[start : start + _BATCH] = self._run(part)
            if spec.mirror:
                vectors[start : start + _BATCH] += self._run(part[:, :, ::-1])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors * (np.float32(spec.radius) / np.maximum(norms, np.float32(1e-12)))).astype(np.float32)

    def _run(self, chips: UInt8) -> Float32:
        channels = chips[..., ::-1] if self._spec.colour == "bgr" else chips
        images = np.ascontiguousarray(channels.transpose(0, 3, 1, 2), dtype=np.float32)
        if (self._spec.mean, self._spec.scale) != (0.0, 1.0):
            images = (images - np.float32(self._spec.mean)) / np.float32(self._spec.scale)
        (vectors,) = self._model(images).values()
        return vectors


def load_embedder(pack: Pack) -> Embedder:
    """The pack's embedder, its model opened."""
    return Embedder(OnnxModel(pack.path(pack.embedder.file)), pack.embedder)
