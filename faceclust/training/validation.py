"""Embed faces with a network in training, and measure it on held-out people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.training.backbones.base import Backbone
from faceclust.training.data.face_set import FaceSet
from faceclust.training.heads.base import Head
from faceclust.training.loader import normalise_chips, read_ahead
from faceclust.types import Float32

#: Faces measured after each epoch, at most: 2 million pairs.
MAX_FACES = 2_000
#: Faces of one person among them, at most.
_MAX_FACES_OF_PERSON = 20
#: The false accept rates to measure at: the first one that enough pairs are there for.
_FARS = (1e-3, 1e-2, 1e-1)
_BATCH = 128


def embed_faces(
    backbone: Backbone, head: Head, faces: FaceSet, *, device: str | torch.device = "cpu", batch: int = _BATCH
) -> tuple[Float32, Float32]:
    """Return unit embeddings (n, d) of all faces of a set and the norms (n,) that they had, without training.

    Network and head are moved to `device` and return to the mode they were in.
    """
    modules: tuple[nn.Module, ...] = (backbone.to(device), head.to(device))
    were_training = [module.training for module in modules]
    parts = [np.arange(start, min(start + batch, len(faces))) for start in range(0, len(faces), batch)]
    vectors = [torch.empty(0, backbone.dimension)]
    try:
        for module in modules:
            module.eval()
        with torch.inference_mode():
            for chips in read_ahead(lambda part: normalise_chips(faces.read(part), torch.device(device)), parts):
                vectors.append(head.embed(backbone(chips)).float().cpu())
    finally:
        for module, was_training in zip(modules, were_training, strict=True):
            module.train(was_training)
    raw = torch.cat(vectors).numpy().astype(np.float64)  # features of a deep untrained network are up to 1e30
    norms = np.linalg.norm(raw, axis=1)
    units = raw / np.maximum(norms, np.finfo(np.float32).tiny)[:, None]
    return units.astype(np.float32), norms.astype(np.float32)


@dataclass(frozen=True)
class HeldOutScore:
    """The true accept rate over all pairs of the chosen held-out faces at the false accept rate `far`; both None if
    there are too few pairs."""

    tar: float | None = None
    far: float | None = None

    def __str__(self) -> str:
        return (
            "not measurable" if self.tar is None else f"{100 * self.tar:.1f} % at {self.far:.0e}".replace("e-0", "e-")
        )


def measure_held_out(
    backbone: Backbone, head: Head, faces: FaceSet, device: str | torch.device = "cpu"
) -> HeldOutScore:
    """Measure a network on faces from `choose_faces`."""
    units, _ = embed_faces(backbone, head, faces, device=device)
    if not np.isfinite(units).all():  # a deep network overflows before batch normalisation knows its statistics
        return HeldOutScore()
    for rate in verify_all_pairs(units, faces.labels.astype(str), _FARS).rates:
        if rate.tar is not None:
            return HeldOutScore(rate.tar, rate.target)
    return HeldOutScore()


def choose_faces(faces: FaceSet, limit: int = MAX_FACES) -> FaceSet:
    """Return at most `limit` faces of people with at least two: evenly spaced faces of people in a fixed random order,
    so that the same set always gives the same choice."""
    chosen: list[NDArray[np.int64]] = []
    left = limit
    order = np.argsort(faces.labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(faces.labels[order])) + 1)
    for person in np.random.default_rng(0).permutation(len(groups)):
        group = groups[person]
        if len(group) > 1 and left > 1:
            count = min(len(group), _MAX_FACES_OF_PERSON, left)
            chosen.append(group[np.linspace(0, len(group) - 1, count).astype(np.int64)])
            left -= count
    indices = np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
    sources = tuple(faces.sources[index] for index in indices)
    return FaceSet(faces.chips, faces.rows[indices], faces.labels[indices], faces.people, sources)
