"""The inputs and outputs of an embedder's model, inferred from the model and the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import EmbedderSpec
from faceclust.packs.session import Shape, format_shape
from faceclust.text.plural import format_count
from faceclust.types import Float32


@dataclass(frozen=True)
class EmbedderIO:
    """The input and output format of an embedder's model.

    `layout`: order of the input's axes, "nchw" or "nhwc". `batch_size`: number of chips the model
    needs, None for any number. `vector_output`: name of the output with the vectors, None if there
    is only one. `norm_output`: name of the output with their norms, None to compute them.
    """

    layout: str = "nchw"
    batch_size: int | None = None
    vector_output: str | None = None
    norm_output: str | None = None

    def read_vectors(self, outputs: Mapping[str, Float32], n: int, dimension: int) -> Float32:
        """Return the vectors (n, d) among a model's outputs. Raises PackError for any other shape."""
        found = outputs.get(self.vector_output) if self.vector_output is not None else next(iter(outputs.values()))
        if found is None or found.size != n * dimension or (n > 1 and found.shape[0] != n):
            shape = "none" if found is None else format_shape(found.shape)
            raise PackError(f"for {format_count(n, 'face')} the embedder returned {shape}; expected {n}×{dimension}")
        return np.asarray(found.reshape(n, dimension))

    def read_norms(self, outputs: Mapping[str, Float32], vectors: Float32) -> Float32:
        """Return the norms (n,) of raw vectors (n, d), from the model's outputs or computed.

        Raises PackError if the output has another shape.
        """
        if self.norm_output is None:
            return np.asarray(np.linalg.norm(vectors, axis=1))
        found = outputs[self.norm_output]
        if found.shape not in ((len(vectors),), (len(vectors), 1)):
            shape = format_shape(found.shape)
            raise PackError(f"the output {self.norm_output!r} returned {shape}; expected one number a face")
        return np.asarray(found.reshape(len(vectors)))


def infer_embedder_io(name: str, input_shape: Shape, outputs: Mapping[str, Shape], spec: EmbedderSpec) -> EmbedderIO:
    """Infer the inputs and outputs of the model file `name` from their shapes and the manifest.

    Raises PackError if the model does not fit the manifest.
    """
    layout = infer_layout(name, input_shape, spec.layout)
    _check_chip_size(name, input_shape, layout, spec)
    if spec.norm_output is not None:
        _check_norm_output(name, outputs, spec.norm_output)
    vectors = {output: shape for output, shape in outputs.items() if output != spec.norm_output}
    vector_output = infer_vector_output(name, vectors, spec.output, spec.dimension)
    dimension = vector_length(outputs[vector_output])
    if dimension not in (None, spec.dimension):
        raise PackError(f"{name} returns {dimension} numbers a face; the manifest declares {spec.dimension}")
    return EmbedderIO(layout, input_shape[0], vector_output, spec.norm_output)


def _check_chip_size(name: str, input_shape: Shape, layout: str, spec: EmbedderSpec) -> None:
    sides = input_shape[2:] if layout == "nchw" else input_shape[1:3]
    if any(side not in (None, chip_side) for side, chip_side in zip(sides, spec.chip_size[::-1], strict=True)):
        raise PackError(
            f"{name} takes {format_shape(input_shape)}; the manifest's chips are "
            f"{spec.chip_size[0]}×{spec.chip_size[1]} (width×height)"
        )


def _check_norm_output(name: str, outputs: Mapping[str, Shape], norm_output: str) -> None:
    if norm_output not in outputs or len(outputs) < 2:
        raise PackError(f"{name} has no output {norm_output!r} beside the embedding; it has {', '.join(outputs)}")
    shape = outputs[norm_output]
    if len(shape) > 2 or shape[1:] not in ((), (1,), (None,)):
        raise PackError(f"{name}'s output {norm_output!r} is {format_shape(shape)}; a norm must be one number a face")


_CHANNEL_AXES = {"nchw": 1, "nhwc": 3}


def infer_layout(name: str, input_shape: Shape, requested: str | None) -> str:
    """Return the layout of an input: the requested one, else the one whose channel axis has size 3.

    Raises PackError if the input is not a colour picture, is not in the requested layout, or could
    have either layout.
    """
    if len(input_shape) != 4:
        raise PackError(
            f"{name} takes {format_shape(input_shape)}; an embedder takes n×3×height×width or n×height×width×3"
        )
    possible = [layout for layout, axis in _CHANNEL_AXES.items() if input_shape[axis] in (3, None)]
    if requested is not None:
        if requested not in possible:
            raise PackError(f"{name} takes {format_shape(input_shape)}, which is not {requested}")
        return requested
    if not possible:
        raise PackError(f"{name} takes {format_shape(input_shape)}, which is not a colour picture")
    certain = [layout for layout in possible if input_shape[_CHANNEL_AXES[layout]] == 3]
    candidates = certain or possible
    if len(candidates) > 1:
        raise PackError(
            f"{name} takes {format_shape(input_shape)}",
            hint='set the channel order: layout = "nchw" or "nhwc" (--layout)',
        )
    return candidates[0]


def infer_vector_output(
    name: str, outputs: Mapping[str, Shape], requested: str | None, dimension: int | None = None
) -> str:
    """Return the name of the output that is the embedding.

    It is the requested one, else the only vector, else the only vector of this dimension. Raises
    PackError if that is ambiguous, or if no output is a vector.
    """
    if requested is not None:
        if requested not in outputs:
            raise PackError(f"{name} has no output {requested!r}; it has {', '.join(outputs)}")
        return requested
    vectors = [one for one, shape in outputs.items() if _is_vector(shape)]
    if len(vectors) > 1:
        vectors = [one for one in vectors if vector_length(outputs[one]) == dimension] or vectors
    if len(vectors) == 1:
        return vectors[0]
    shapes = ", ".join(f"{one} {format_shape(shape)}" for one, shape in outputs.items())
    if not vectors:
        raise PackError(f"{name} returns no vectors but {shapes}", hint="is it a face embedder?")
    raise PackError(f"{name} returns several vectors: {shapes}", hint="choose one: output = NAME (--output)")


def vector_length(shape: Shape) -> int | None:
    """Return the number of values per face of an output with this shape, None if unspecified."""
    return shape[1] if len(shape) > 1 else None


def _is_vector(shape: Shape) -> bool:
    """Return whether a shape is (n, d) or (n, d, 1, 1) with d > 1, or unspecified."""
    if len(shape) in (0, 2):
        return not shape or shape[1] != 1
    return len(shape) == 4 and shape[1] != 1 and all(side in (1, None) for side in shape[2:])
