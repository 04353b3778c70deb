"""How chips go into an embedder's model and vectors come out: told from what the model says of its
input and outputs, and from the manifest where that leaves it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.pack import EmbedderSpec
from faceclust.packs.session import Shape, shape_in_words
from faceclust.types import Float32


@dataclass(frozen=True)
class Feed:
    """`layout`: the order of the input, "nchw" or "nhwc". `batch`: how many chips the model wants at
    a time, None where it takes any number. `output`: the name of the vectors among the outputs,
    None where there is one output. `norm`: that of their lengths; None: they have it themselves."""

    layout: str = "nchw"
    batch: int | None = None
    output: str | None = None
    norm: str | None = None

    def vectors(self, out: Mapping[str, Float32], n: int, dimension: int) -> Float32:
        """The vectors (n, d) among a model's outputs. Raises PackError where they are not that."""
        found = out.get(self.output) if self.output is not None else next(iter(out.values()))
        if found is None or found.size != n * dimension or (n > 1 and found.shape[0] != n):
            shape = "none" if found is None else shape_in_words(found.shape)
            raise PackError(
                f"for {n} face{'s' if n > 1 else ''} the embedder gives {shape}; {n}×{dimension} was expected"
            )
        return np.asarray(found.reshape(n, dimension))

    def norms(self, out: Mapping[str, Float32], vectors: Float32) -> Float32:
        """The lengths (n,) of the model's own vectors (n, d), among its outputs or of the vectors.
        Raises PackError where they are not that."""
        if self.norm is None:
            return np.asarray(np.linalg.norm(vectors, axis=1))
        found = out[self.norm]
        if found.shape not in ((len(vectors),), (len(vectors), 1)):
            shape = shape_in_words(found.shape)
            raise PackError(f"the output {self.norm!r} gives {shape}; one number a face was expected")
        return np.asarray(found.reshape(len(vectors)))


def feed_of(name: str, given: Shape, outputs: Mapping[str, Shape], spec: EmbedderSpec) -> Feed:
    """How to feed the model called `name`, whose input and outputs have these shapes, as far as it
    says. Raises PackError where it is not the one the manifest describes."""
    layout = layout_of(name, given, spec.layout)
    sides = given[2:] if layout == "nchw" else given[1:3]
    for side, want in zip(sides, spec.chip_size[::-1], strict=True):
        if side not in (None, want):
            raise PackError(
                f"{name} takes {shape_in_words(given)}; the manifest's chips are "
                f"{spec.chip_size[0]}×{spec.chip_size[1]} (width×height)"
            )
    if (norm := spec.norm_output) is not None:
        if norm not in outputs or len(outputs) < 2:
            raise PackError(f"{name} has no output {norm!r} beside the embedding; it has {', '.join(outputs)}")
        shape = outputs[norm]
        if len(shape) > 2 or shape[1:] not in ((), (1,), (None,)):
            raise PackError(f"{name}'s output {norm!r} is {shape_in_words(shape)}; one number a face is a norm")
    vectors = {one: shape for one, shape in outputs.items() if one != norm}
    output = output_of(name, vectors, spec.output, spec.dimension)
    dimension = vector_length(outputs[output])
    if dimension not in (None, spec.dimension):
        raise PackError(f"{name} gives {dimension} numbers a face; the manifest says {spec.dimension}")
    return Feed(layout, given[0], output, norm)


def layout_of(name: str, given: Shape, asked: str | None) -> str:
    """The order of an input of this shape: where the 3 stands, else as `asked`. Raises PackError."""
    if len(given) != 4:
        raise PackError(f"{name} takes {shape_in_words(given)}; a picture is n×3×height×width or n×height×width×3")
    possible = [layout for layout, place in (("nchw", 1), ("nhwc", 3)) if given[place] in (3, None)]
    sure = [layout for layout, place in (("nchw", 1), ("nhwc", 3)) if given[place] == 3 and layout in possible]
    if asked is not None:
        if asked not in possible:
            raise PackError(f"{name} takes {shape_in_words(given)}, which is not {asked}")
        return asked
    if len(sure or possible) != 1:
        raise PackError(
            f"{name} takes {shape_in_words(given)}" + ("" if possible else ", which is no picture in colour"),
            hint='say where the channels stand: layout = "nchw" or "nhwc" (--layout)' if possible else None,
        )
    return (sure or possible)[0]


def output_of(name: str, outputs: Mapping[str, Shape], asked: str | None, dimension: int | None = None) -> str:
    """The output that is the embedding: the one `asked` for, else the only one that is a vector, and
    of several the only one of this dimension. Raises PackError."""
    if asked is not None:
        if asked not in outputs:
            raise PackError(f"{name} has no output {asked!r}; it has {', '.join(outputs)}")
        return asked
    vectors = [one for one, shape in outputs.items() if _is_vector(shape)]
    if len(vectors) > 1:
        vectors = [one for one in vectors if vector_length(outputs[one]) == dimension] or vectors
    if len(vectors) == 1:
        return vectors[0]
    shapes = ", ".join(f"{one} {shape_in_words(shape)}" for one, shape in outputs.items())
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
