"""Try a pack's models on drawn faces: a sanity check that needs no photos."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace

import numpy as np

from faceclust.errors import PackError
from faceclust.installer.drawn_faces import disturb, draw_faces
from faceclust.installer.usual_inputs import USUAL_INPUTS, UsualInput
from faceclust.packs.pack import Pack
from faceclust.types import Float32, UInt8
from faceclust.vision.embed import Embedder, load_embedder
from faceclust.vision.pipeline import FacePipeline

# All distances are squared L2 of unit vectors.
#: 8-bit models deviate by up to this much with the rest of the batch.
_MAX_BATCH_DEVIATION = 1e-3
#: The mean distance between drawn faces. It is .16 for dlib's model, and .68 to 1.1 for three models
#: of other families. With a wrong mean and scale it is .0003 to .1, and .0005 to .015 for a faulty
#: conversion of MobileFaceNet.
_MIN_DISTANCE, _USUAL_DISTANCE = 0.02, 0.1
#: The same, divided by the mean distance to a disturbed copy: 8 to 31 for these models, about 1 for noise.
_MIN_CONTRAST = 2.0
#: A mean and scale are suggested if they separate drawn faces by this much more than the given ones.
_MIN_GAIN = 3.0
_TIMED_SECONDS = 0.03  # of CPU time: Windows counts it in steps of 0.016 s
_PREPROCESSING_HINT = "check mean and scale"


@dataclass(frozen=True)
class PackTrial:
    """The results of a trial run.

    `dimension` is that of the embeddings. `milliseconds` is the CPU time per face, including the
    mirror image if the pack uses one. `norms` are the lowest and the highest raw norm of the drawn
    faces. `warning` describes a doubtful result in a sentence, and is empty otherwise.
    """

    dimension: int
    milliseconds: float
    norms: tuple[float, float]
    warning: str = ""


@dataclass(frozen=True)
class _Separation:
    """Mean distances of drawn faces: `between` different faces, and of faces to a disturbed copy."""

    between: float
    to_copy: float


def try_pack(pack: Pack) -> PackTrial:
    """Run a pack's models on drawn faces. Raises PackError if they do not run, or if embeddings are
    not finite, hardly differ between faces, differ as much for copies of a face, or depend on the
    batch."""
    FacePipeline(pack)  # tries the detector, and whether it fits the embedder
    embedder, chips = load_embedder(pack), draw_faces(pack.embedder)
    with np.errstate(all="ignore"):  # a model may return anything
        vectors, norms = embedder.raw_vectors_and_norms(chips)
        separation = _measure_separation(vectors, embedder.raw_vectors(disturb(chips)))
        single = embedder.raw_vectors(chips[:1])
        problem = _find_invalid_output(vectors, single, norms) or _find_poor_separation(pack, separation)
    if problem:
        message, hint = problem
        raise PackError(f"pack {pack.name!r}: {pack.embedder.file} {message}", hint=hint)
    warning = ""
    if separation.between < _USUAL_DISTANCE:
        warning = f"drawn faces differ little, {_describe_distance(separation)}; {_suggest_input(pack, separation)}"
    milliseconds = _measure_milliseconds(embedder, chips) * (2 if pack.embedder.mirror else 1)
    return PackTrial(vectors.shape[1], milliseconds, (float(norms.min()), float(norms.max())), warning)


def _find_invalid_output(vectors: Float32, single: Float32, norms: Float32) -> tuple[str, str | None] | None:
    """Check the raw vectors (n, d) of a batch, that of its first face alone, and the norms (n,).
    Return the message and the hint of the first problem."""
    if not (np.isfinite(vectors).all() and np.isfinite(single).all()):
        return "outputs numbers that are not finite", _PREPROCESSING_HINT
    if np.linalg.norm(vectors, axis=1).min() < 1e-6:
        return "outputs a zero vector for a face", _PREPROCESSING_HINT
    if ((_normalise(vectors[:1]) - _normalise(single)) ** 2).sum() > _MAX_BATCH_DEVIATION:
        return "outputs a different vector for a face if others are in the batch", "export it in evaluation mode"
    if not (np.isfinite(norms).all() and (norms >= 0).all()):
        return "outputs norms that are negative or not finite", "check norm_output"
    return None


def _find_poor_separation(pack: Pack, separation: _Separation) -> tuple[str, str] | None:
    if not separation.between >= _MIN_DISTANCE:
        return (
            f"outputs nearly the same vector for different faces, {_describe_distance(separation)}",
            _suggest_input(pack, separation),
        )
    if separation.between < _MIN_CONTRAST * separation.to_copy:
        return (
            "outputs vectors that differ as much for copies of a face, shifted by two pixels "
            f"({separation.to_copy:.2g}), as for different faces ({separation.between:.2g})",
            "is it a face embedder, and was it converted correctly?",
        )
    return None


def _describe_distance(separation: _Separation) -> str:
    return f"{separation.between:.2g} apart on average (squared L2 of unit vectors; usually above {_USUAL_DISTANCE:g})"


def _suggest_input(pack: Pack, separation: _Separation) -> str:
    """Try the usual values of mean and scale, and return a hint with those that separate drawn faces
    best, or that none do."""
    found = {usual: _separation_with(pack, usual) for usual in USUAL_INPUTS}
    best = max(found, key=found.__getitem__)
    if found[best] > max(_MIN_GAIN * separation.between, _USUAL_DISTANCE):
        return (
            f"with mean {best.mean:g} and scale {best.scale:g} ({best.family}) they are {found[best]:.2g} apart: "
            "look up what the model was trained with, and check the conversion"
        )
    return "no usual mean and scale changes that: is it a face embedder, and was it converted correctly?"


def _separation_with(pack: Pack, usual: UsualInput) -> float:
    changed = replace(pack, embedder=replace(pack.embedder, mean=usual.mean, scale=usual.scale))
    embedder, chips = load_embedder(changed), draw_faces(pack.embedder)
    with np.errstate(all="ignore"):
        return _measure_separation(embedder.raw_vectors(chips), embedder.raw_vectors(disturb(chips))).between


def _measure_separation(vectors: Float32, copies: Float32) -> _Separation:
    """Compare the raw vectors (n, d) of n people and of their disturbed copies. Vectors that are not
    finite count as equal."""
    units, copies = (_normalise(np.nan_to_num(raw, posinf=0.0, neginf=0.0)) for raw in (vectors, copies))
    pairs = [((one - other) ** 2).sum() for one, other in itertools.combinations(units, 2)]
    return _Separation(float(np.mean(pairs)), float(((units - copies) ** 2).sum(axis=1).mean()))


def _normalise(vectors: Float32) -> Float32:
    units: Float32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    return units


def _measure_milliseconds(embedder: Embedder, chips: UInt8) -> float:
    """Return the CPU time per chip. ONNX Runtime works in this thread."""
    runs, start = 0, time.thread_time()
    while (seconds := time.thread_time() - start) < _TIMED_SECONDS:
        embedder.raw_vectors(chips)
        runs += 1
    return 1000 * seconds / runs / len(chips)
