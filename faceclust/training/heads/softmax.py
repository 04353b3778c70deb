"""Softmax over cosines, the common baseline of the margin losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceclust.training.heads.base import full_precision
from faceclust.training.heads.cosine import CosineHead


class Softmax(CosineHead):
    """Normalised softmax of Wang et al. (2017), NormFace, §3: all logits are s cos θ_j.

    It is normalised because faces are compared by the distance of unit vectors, so only angles count. A plain softmax
    can also lower its loss by longer features, and by longer centres of people with many photos. There is no bias for
    the same reason. `normalised` false gives the plain softmax x · w_j, which needs no scale.

    Default: s 32. NormFace learns s instead; the margin losses use 64 with 10,000 people and more. For few people,
    AdaCos computes a scale.
    """

    title = "Softmax"
    paper = "Wang et al. (2017), NormFace: L2 Hypersphere Embedding for Face Verification, §3"
    formula = "T = cos θ, N_j = cos θ_j"

    def __init__(self, dimension: int, classes: int, *, scale: float = 32.0, normalised: bool = True) -> None:
        super().__init__(dimension, classes, scale=scale)
        self.normalised = normalised

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits (n, classes), under autocast in float32."""
        if self.normalised:
            return self.scale * self.cosines(features)
        with torch.autocast(features.device.type, enabled=False):
            features = full_precision(features)
            return F.linear(features, self.centres.to(features.dtype))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(features), labels)

    def predict(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            return self.logits(features).argmax(1)

    def undecayed_parameters(self) -> list[nn.Parameter]:
        return [self.centres] if self.normalised else []
