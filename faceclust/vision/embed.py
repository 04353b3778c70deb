"""Chips to embeddings: vectors in one Euclidean space, all with the pack's radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceclust.packs.pack import EmbedderSpec, Pack
from faceclust.packs.session import Model, OnnxModel
from faceclust.types import Float32, UInt8, check_array
from faceclust.vision.embedder_io import EmbedderIO, infer_embedder_io
from faceclust.vision.preprocess import to_model_input

_DEFAULT_BATCH_SIZE = 2  # a chip and its mirror image; MobileFaceNet takes 5 to 10 % longer for 8
#: By device: larger batches keep a GPU busy.
BATCH_SIZES = {"cuda": 64, "directml": 64}


@dataclass(frozen=True)
class ChipEmbeddings:
    """The embeddings of n chips.

    `vectors`: float32 (n, d), each of norm `radius`. `asymmetry`: float32 (n,), squared L2 between
    the unit embeddings of a chip and of its mirror image; 0 if the pack does not mirror. Faces are
    nearly symmetric to an embedder; rocks, leaves and cloth are not. `norms`: float32 (n,), length
    of the model's raw vector, or the value of its norm output (`EmbedderSpec.norm_output`).
    `usable`: bool (n,), false if the model returned no direction; the other values then mean
    nothing.
    """

    vectors: Float32
    asymmetry: Float32
    norms: Float32
    usable: NDArray[np.bool_]


class Embedder:
    """Computes one embedding per chip."""

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
        """Embed chips uint8 (n, h, w, 3) RGB as vectors (n, d), each of norm `spec.radius`.

        With `spec.mirror` a vector is the mean of the chip's and its mirror image's, before
        scaling. Raises ValueError for chips of another shape.
        """
        spec = self._spec
        check_array("chips", chips, (None, spec.chip_size[1], spec.chip_size[0], 3), np.uint8)
        with np.errstate(all="ignore"):  # a model may return anything
            asymmetry = np.zeros(len(chips), np.float32)
            if not spec.mirror:
                vectors, norms = self.raw_vectors_and_norms(chips)
            else:
                vectors, mirrored, norms = self.raw_pairs(chips)
                asymmetry = ((_normalise(vectors) - _normalise(mirrored)) ** 2).sum(axis=1)
                vectors = vectors + mirrored
            units = _normalise(vectors)
            usable = np.isfinite(norms) & (np.linalg.norm(units, axis=1) > 0.5)  # false for NaN, too
            return ChipEmbeddings(units * np.float32(spec.radius), asymmetry, norms, usable)

    def raw_vectors(self, chips: UInt8) -> Float32:
        """Return the model's raw vectors (n, d) of chips (n, h, w, 3)."""
        return self.raw_vectors_and_norms(chips)[0]

    def raw_pairs(self, chips: UInt8) -> tuple[Float32, Float32, Float32]:
        """Return the model's raw vectors of chips and of their mirror images, and the norms of the first."""
        pairs = np.stack([chips, chips[:, :, ::-1]], axis=1).reshape(-1, *chips.shape[1:])
        vectors, norms = self.raw_vectors_and_norms(pairs)
        return vectors[::2], vectors[1::2], norms[::2]

    def raw_vectors_and_norms(self, chips: UInt8) -> tuple[Float32, Float32]:
        """Return the model's raw vectors (n, d) and their norms (n,), computed in batches."""
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
    """Open the pack's embedder on a device. Raises PackError if the model does not fit the manifest."""
    spec = pack.embedder
    model = OnnxModel(pack.path(spec.file), device, few_shapes=True)
    feed = infer_embedder_io(model.name, model.input_shape, model.output_shapes, spec)
    return Embedder(model, spec, BATCH_SIZES.get(device, _DEFAULT_BATCH_SIZE), feed)
