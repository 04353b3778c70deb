"""The interface of a head: raw features and labels to the mean loss of a batch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """A training loss over the raw features of a network.

    Subclasses are constructed as `SubClass(dimension, classes, **settings)`: `dimension` is d, `classes` the number
    of training people. The settings are keyword-only parameters with defaults and simple types (float, int, bool,
    str): `faceclust train --list` shows them and `--set head.NAME=VALUE` changes them. A subclass raises ValueError
    if a setting is out of range.

    Heads compute in float32 even under autocast (float64 if the features are float64), and normalise features
    themselves, because some need the norm.
    """

    #: How `--list` and reports call it, e.g. "ArcFace".
    title: ClassVar[str]
    #: Authors, year, title and section of the formula.
    paper: ClassVar[str]
    #: The formula in one line of plain text, in the notation of `--list`.
    formula: ClassVar[str]
    #: The loss compares faces within a batch: batches hold several faces of each person.
    needs_groups: ClassVar[bool] = False
    #: The feature's norm reflects image quality, so the pack uses it for quality.
    norm_is_quality: ClassVar[bool] = False
    #: The default learning rate of SGD with momentum .9.
    learning_rate: ClassVar[float] = 0.1

    def __init__(self, dimension: int, classes: int) -> None:
        super().__init__()
        self.dimension, self.classes = dimension, classes

    @property
    def sampler(self) -> str:
        """The sampler of batches: "shuffled", "people" (several faces of each person), "adaptive" (AdaptiveFace's)
        or "triplets" (rows 3i anchor, 3i + 1 positive, 3i + 2 negative). A setting of a subclass may decide."""
        return "people" if self.needs_groups else "shuffled"

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of features (n, d) with labels int64 (n,)."""
        raise NotImplementedError

    def embed(self, features: Tensor) -> Tensor:
        """Return the embedding (n, d), not normalised, of features (n, d). GroupFace has layers here, which are
        exported with the network; for other heads the feature is the embedding."""
        return features

    def check_start(self, features: Tensor) -> None:
        """Raise UsageError if a network cannot learn from here what the head is for, given its first batch of
        features (n, d)."""

    def predict(self, features: Tensor) -> Tensor | None:
        """Return the most likely label int64 (n,) of each feature, without margins; None for pair losses."""
        return None

    def undecayed_parameters(self) -> list[nn.Parameter]:
        """Parameters without weight decay, such as class centres that are normalised anyway."""
        return list(self.parameters())


def full_precision(features: Tensor) -> Tensor:
    """Return the features in float32, or unchanged if they are float64."""
    return features if features.dtype == torch.float64 else features.float()


#: Vectors shorter than this have no direction.
MIN_NORM = 1e-6


def unit_vectors(vectors: Tensor) -> Tensor:
    """Return vectors (…, d) scaled to length 1, in full precision; zero vectors stay zero.

    torch's `normalize` multiplies the gradient of a zero vector by 1e12, which overflows float16.
    """
    vectors = full_precision(vectors)
    norms = vectors.norm(dim=-1, keepdim=True)
    units: Tensor = vectors / norms.where(norms > MIN_NORM, 1.0)
    return units
