"""Chips to embeddings: points of one Euclidean space, all of the pack's radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.packs.pack import EmbedderSpec, Pack
from faceclust.packs.session import Model, OnnxModel
from faceclust.types import Float32, UInt8, check_array
from faceclust.vision.embedder_io import EmbedderIO, infer_embedder_io
from faceclust.vision.preprocess import to_model_input

_DEFAULT_BATCH_SIZE = 8  # measured on one thread: smaller or larger ones gain nothing
#: On a device of its own a batch has to keep it busy.
BATCH_SIZES = {"cuda": 64, "directml": 64}


@dataclass(frozen=True)
class ChipEmbeddings:
    """`vectors` float32 (n, d) of the pack's radius. `asymmetry` float32 (n,): squared L2, on
    unit vectors, between a chip's embedding and its mirror image's; 0 where the pack does not
    mirror. Faces are near-symmetric to an embedder; rocks, leaves and cloth are not. `norms`
    float32 (n,): the length of the model's own vector of the chip, before any scaling, or what the
    model gives as that (`EmbedderSpec.norm_output`). `usable` (n,): whether the model gave a
    direction at all; all else says nothing where it did not."""

    vectors: Float32
    asymmetry: Float32
    norms: Float32
    usable: NDArray[np.bool_]


class Embedder:
    """`embedder(chips)` gives one embedding a chip."""

    def __init__(
        self,
        model: Model,
        spec: EmbedderSpec,
        batch_size: int = _DEFAULT_BATCH_SIZE,
        embedder_io: EmbedderIO | None = None,
    ) -> None:
        self._model, self._spec, self._embedder_io = model, spec, embedder_io or EmbedderIO()
        self._batch_size = self._embedder_io.batch_size or batch_size

    def __call__(self, chips: UInt8) -> ChipEmbeddings:
        """Chips uint8 (n, h, w, 3) RGB → vectors (n, d), each of norm `spec.radius`.

        With `spec.mirror` a vector is the mean of the chip's and its mirror image's, before
        it is scaled. Raises ValueError for chips of another shape.
        """
        spec = self._spec
        check_array("chips", chips, (None, spec.chip_size[1], spec.chip_size[0], 3), np.uint8)
        with np.errstate(all="ignore"):  # a model may give anything
            vectors, norms = self.raw_vectors_and_norms(chips)
            asymmetry = np.zeros(len(chips), np.float32)
            if spec.mirror:
                mirrored = self.raw_vectors(chips[:, :, ::-1])
                asymmetry = ((_normalise(vectors) - _normalise(mirrored)) ** 2).sum(axis=1)
                vectors = vectors + mirrored
            units = _normalise(vectors)
            usable = np.isfinite(norms) & (np.linalg.norm(units, axis=1) > 0.5)  # not NaN either
            return ChipEmbeddings(units * np.float32(spec.radius), asymmetry, norms, usable)

    def raw_vectors(self, chips: UInt8) -> Float32:
        """The model's own vectors (n, d) of chips (n, h, w, 3), not scaled."""
        return self.raw_vectors_and_norms(chips)[0]

    def raw_vectors_and_norms(self, chips: UInt8) -> tuple[Float32, Float32]:
        """The same and their norms (n,), in batches."""
        spec, feed = self._spec, self._embedder_io
        vectors, norms = np.empty((len(chips), spec.dimension), np.float32), np.empty(len(chips), np.float32)
        for start in range(0, len(chips), self._batch_size):
            part = chips[start : start + self._batch_size]
            images = to_model_input(part, spec.colour, spec.mean, spec.scale, feed.layout)
            if feed.batch_size and len(part) < feed.batch_size:
                images = np.concatenate(
                    [images, np.zeros((feed.batch_size - len(part), *images.shape[1:]), np.float32)]
                )
            out = self._model(images)
            found = feed.read_vectors(out, len(images), spec.dimension)
            vectors[start : start + self._batch_size] = found[: len(part)]
            norms[start : start + self._batch_size] = feed.read_norms(out, found)[: len(part)]
        return vectors, norms


def _normalise(vectors: Float32) -> Float32:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def load_embedder(pack: Pack, device: str = "cpu") -> Embedder:
    """The pack's embedder, its model opened on a device. Raises PackError for a model that is not
    what the pack says of it."""
    spec = pack.embedder
    model = OnnxModel(pack.path(spec.file), device)
    feed = infer_embedder_io(model.name, model.input_shape, model.output_shapes, spec)
    return Embedder(model, spec, BATCH_SIZES.get(device, _DEFAULT_BATCH_SIZE), feed)
