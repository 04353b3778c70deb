"""How chips go into an embedder's model and vectors come out: told from what the model says of its
input and outputs, and from the manifest where that leaves it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import EmbedderSpec
from faceclust.packs.session import Shape, format_shape
from faceclust.types import Float32


@dataclass(frozen=True)
class EmbedderIO:
    """`layout`: the order of the input, "nchw" or "nhwc". `batch`: how many chips the model wants at
    a time, None where it takes any number. `output`: the name of the vectors among the outputs,
    None where there is one output. `norm`: that of their lengths; None: they have it themselves."""

    layout: str = "nchw"
    batch_size: int | None = None
    vector_output: str | None = None
    norm_output: str | None = None

    def read_vectors(self, outputs: Mapping[str, Float32], n: int, dimension: int) -> Float32:
        """The vectors (n, d) among a model's outputs. Raises PackError where they are not that."""
        found = outputs.get(self.vector_output) if self.vector_output is not None else next(iter(outputs.values()))
        if found is None or found.size != n * dimension or (n > 1 and found.shape[0] != n):
            shape = "none" if found is None else format_shape(found.shape)
            raise PackError(
                f"for {n} face{'s' if n > 1 else ''} the embedder gives {shape}; {n}×{dimension} was expected"
            )
        return np.asarray(found.reshape(n, dimension))

    def read_norms(self, outputs: Mapping[str, Float32], vectors: Float32) -> Float32:
        """The lengths (n,) of the model's own vectors (n, d), among its outputs or of the vectors.
        Raises PackError where they are not that."""
        if self.norm_output is None:
            return np.asarray(np.linalg.norm(vectors, axis=1))
        found = outputs[self.norm_output]
        if found.shape not in ((len(vectors),), (len(vectors), 1)):
            shape = format_shape(found.shape)
            raise PackError(f"the output {self.norm_output!r} gives {shape}; one number a face was expected")
        return np.asarray(found.reshape(len(vectors)))


def infer_embedder_io(name: str, input_shape: Shape, outputs: Mapping[str, Shape], spec: EmbedderSpec) -> EmbedderIO:
    """How to feed the model called `name`, whose input and outputs have these shapes, as far as it
    says. Raises PackError where it is not the one the manifest describes."""
    layout = infer_layout(name, input_shape, spec.layout)
    sides = input_shape[2:] if layout == "nchw" else input_shape[1:3]
    for side, want in zip(sides, spec.chip_size[::-1], strict=True):
        if side not in (None, want):
            raise PackError(
                f"{name} takes {format_shape(input_shape)}; the manifest's chips are "
                f"{spec.chip_size[0]}×{spec.chip_size[1]} (width×height)"
            )
    if (norm := spec.norm_output) is not None:
        if norm not in outputs or len(outputs) < 2:
            raise PackError(f"{name} has no output {norm!r} beside the embedding; it has {', '.join(outputs)}")
        shape = outputs[norm]
        if len(shape) > 2 or shape[1:] not in ((), (1,), (None,)):
            raise PackError(f"{name}'s output {norm!r} is {format_shape(shape)}; one number a face is a norm")
    vectors = {one: shape for one, shape in outputs.items() if one != norm}
    output = infer_vector_output(name, vectors, spec.output, spec.dimension)
    dimension = vector_length(outputs[output])
    if dimension not in (None, spec.dimension):
        raise PackError(f"{name} gives {dimension} numbers a face; the manifest says {spec.dimension}")
    return EmbedderIO(layout, input_shape[0], output, norm)


def infer_layout(name: str, input_shape: Shape, requested: str | None) -> str:
    """The order of an input of this shape: where the 3 stands, else as `asked`. Raises PackError."""
    if len(input_shape) != 4:
        raise PackError(f"{name} takes {format_shape(input_shape)}; a picture is n×3×height×width or n×height×width×3")
    possible = [layout for layout, place in (("nchw", 1), ("nhwc", 3)) if input_shape[place] in (3, None)]
    sure = [layout for layout, place in (("nchw", 1), ("nhwc", 3)) if input_shape[place] == 3 and layout in possible]
    if requested is not None:
        if requested not in possible:
            raise PackError(f"{name} takes {format_shape(input_shape)}, which is not {requested}")
        return requested
    if len(sure or possible) != 1:
        raise PackError(
            f"{name} takes {format_shape(input_shape)}" + ("" if possible else ", which is no picture in colour"),
            hint='say where the channels stand: layout = "nchw" or "nhwc" (--layout)' if possible else None,
        )
    return (sure or possible)[0]


def infer_vector_output(
    name: str, outputs: Mapping[str, Shape], requested: str | None, dimension: int | None = None
) -> str:
    """The output that is the embedding: the one `asked` for, else the only one that is a vector, and
    of several the only one of this dimension. Raises PackError."""
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
        raise PackError(f"{name} gives no vector for a face but {shapes}", hint="is it a face embedder?")
    raise PackError(f"{name} gives several vectors: {shapes}", hint="say which: output = NAME (--output)")


def vector_length(shape: Shape) -> int | None:
    """How many numbers an output of this shape gives for a face; None where it does not say."""
    return shape[1] if len(shape) > 1 else None


def _is_vector(shape: Shape) -> bool:
    """(n, d) with more than one number, (n, d, 1, 1), or of a shape the file does not tell."""
    if len(shape) in (0, 2):
        return not shape or shape[1] != 1
    return len(shape) == 4 and shape[1] != 1 and all(side in (1, None) for side in shape[2:])
