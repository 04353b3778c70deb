"""Cosines of features with class centres, and the margin formulas that several heads share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceclust.training.heads.base import Head, unit_vectors

#: Cosines are clamped to ±(1 − this), so that the derivative of arccos stays finite.
EPSILON = 1e-7
_MAX_SCALE = 10_000


class CosineHead(Head):
    """A softmax over cosines of features with class centres: subclasses change logits by their margin.

    `centres` (classes, d) are the class weights; only their direction matters.
    """

    def __init__(self, dimension: int, classes: int, *, scale: float) -> None:
        super().__init__(dimension, classes)
        if not 0 < scale <= _MAX_SCALE:
            raise ValueError(f"scale must be above 0 and at most {_MAX_SCALE:,}, not {scale:g}")
        self.scale = scale
        self.centres = nn.Parameter(torch.empty(classes, dimension))
        nn.init.normal_(self.centres, std=0.01)

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosine of each feature with each class (n, classes), clamped; under autocast in float32."""
        return compare_directions(features, self.centres)

    def predict(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            return self.cosines(features).argmax(1)


def compare_directions(features: Tensor, centres: Tensor) -> Tensor:
    """Return the cosine of each feature (n, d) with each centre (k, d), clamped; under autocast in float32."""
    with torch.autocast(features.device.type, enabled=False):
        units = unit_vectors(features)
        return F.linear(units, unit_vectors(centres.to(units.dtype))).clamp(-1 + EPSILON, 1 - EPSILON)


def target_cosines(cosines: Tensor, labels: Tensor) -> Tensor:
    """Return the cosine (n,) of each feature with its own class."""
    return cosines.gather(1, labels[:, None])[:, 0]


def replace_target(logits: Tensor, labels: Tensor, values: Tensor) -> Tensor:
    """Return logits (n, classes) with each target's column replaced by `values` (n,). The input stays as it is."""
    return logits.scatter(1, labels[:, None], values[:, None].to(logits.dtype))


def cos_plus(cosines: Tensor, margin: Tensor | float) -> Tensor:
    """Return cos(θ + margin) of cosines = cos θ. The gradient is finite at ±1."""
    margin = torch.as_tensor(margin, dtype=cosines.dtype, device=cosines.device)
    sines = (1 - cosines * cosines).clamp(min=1e-12).sqrt()
    return cosines * margin.cos() - sines * margin.sin()


def angular_margin_target(cosines: Tensor, margin: Tensor | float) -> Tensor:
    """Return ArcFace's target logit: cos(θ + m) as long as θ + m ≤ π, then cos θ − m sin m, which still falls."""
    margin = torch.as_tensor(margin, dtype=cosines.dtype, device=cosines.device)
    return torch.where(cosines > -margin.cos(), cos_plus(cosines, margin), cosines - margin * margin.sin())
