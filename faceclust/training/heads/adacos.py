"""AdaCos: softmax over cosines whose scale is computed, not chosen."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.cosine import CosineHead, target_cosines


class AdaCos(CosineHead):
    """AdaCos of Zhang et al. (2019), §4: all logits are s cos θ_j, without margin or settings.

    The fixed scale is s = √2 ln(C − 1) for C classes. With `dynamic`, each training step first sets
    s = ln B / cos(min(π/4, median θ_y)). B is the mean over the batch of Σ_{j ≠ y} e^{s cos θ_j} with the scale
    before. s is saved and not differentiated. The median is the lower of two. We keep s at least 1: with few
    classes, B falls below 1 once they are well separated, and s would turn negative.
    """

    title = "AdaCos"
    paper = "Zhang et al. (2019), AdaCos: Adaptively Scaling Cosine Logits, §4"
    formula = "T = cos θ, N_j = cos θ_j; s = √2 ln(C − 1), then ln B / cos(min(π/4, median θ))"

    current_scale: Tensor

    def __init__(self, dimension: int, classes: int, *, dynamic: bool = True) -> None:
        if classes < 3:
            raise ValueError(f"AdaCos needs at least 3 people, not {classes}")
        super().__init__(dimension, classes, scale=math.sqrt(2) * math.log(classes - 1))
        self.dynamic = dynamic
        self.register_buffer("current_scale", torch.tensor(self.scale))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        if not self.dynamic:
            return F.cross_entropy(self.scale * cosines, labels)
        if self.training:
            self.current_scale.copy_(self._next_scale(cosines.detach(), labels))
        return F.cross_entropy(self.current_scale.clone() * cosines, labels)

    def _next_scale(self, cosines: Tensor, labels: Tensor) -> Tensor:
        logits = self.current_scale * cosines
        log_sums = logits.scatter(1, labels[:, None], -math.inf).logsumexp(1)  # of the wrong classes
        log_mean = log_sums.logsumexp(0) - math.log(len(labels))
        angles = target_cosines(cosines, labels).acos().sort().values
        median = angles[(len(angles) - 1) // 2]
        scale: Tensor = log_mean / median.clamp(max=math.pi / 4).cos()
        return scale.clamp(min=1)
