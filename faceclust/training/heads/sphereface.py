"""SphereFace: a margin that multiplies the angle to the true class."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.base import full_precision
from faceclust.training.heads.cosine import CosineHead, replace_target, target_cosines


class SphereFace(CosineHead):
    """A-Softmax of Liu et al. (2017), §3.

    The target logit is ‖x‖ (λ cos θ + ψ) / (1 + λ), with ψ = (−1)^k cos(mθ) − 2k for θ from kπ/m to (k + 1)π/m. All
    others are ‖x‖ cos θ_j: the feature's norm is the scale. λ = max(λ_min, λ_0 / (1 + γ step)) falls from nearly
    softmax to the margin, since training does not start without it. Only training counts steps, and they are saved.

    Defaults: m 4 is the paper's; λ_0 1000, γ .12 and λ_min 5 are those of the authors' published Caffe model.
    """

    title = "SphereFace"
    paper = "Liu et al. (2017), SphereFace: Deep Hypersphere Embedding for Face Recognition, §3"
    formula = "T = (λ cos θ + (−1)^k cos(mθ) − 2k) / (1 + λ), N_j = cos θ_j; s is the norm of x"

    step: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: int = 4,
        lambda_start: float = 1000.0,
        lambda_decay: float = 0.12,
        lambda_min: float = 5.0,
    ) -> None:
        super().__init__(dimension, classes, scale=1.0)
        if not 1 <= margin <= 8:
            raise ValueError(f"margin must be from 1 to 8, not {margin}")
        for name, value in (
            ("lambda_start", lambda_start),
            ("lambda_decay", lambda_decay),
            ("lambda_min", lambda_min),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0, not {value:g}")
        self.margin, self.lambda_start, self.lambda_decay = margin, lambda_start, lambda_decay
        self.lambda_min = lambda_min
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        if self.training:
            self.step += 1
        cosines = self.cosines(features)
        target = target_cosines(cosines, labels)
        softness = (self.lambda_start / (1 + self.lambda_decay * self.step.to(target.dtype))).clamp(min=self.lambda_min)
        target = (softness * target + self._multiply_angle(target)) / (1 + softness)
        norms = full_precision(features).norm(dim=1, keepdim=True)
        return F.cross_entropy(norms * replace_target(cosines, labels, target), labels)

    def _multiply_angle(self, cosines: Tensor) -> Tensor:
        """Return ψ of cosines = cos θ. cos(mθ) is Chebyshev's polynomial of cos θ, so its gradient is finite."""
        before, multiple = torch.ones_like(cosines), cosines
        for _ in range(self.margin - 1):
            before, multiple = multiple, 2 * cosines * multiple - before
        k = (self.margin * cosines.detach().acos() / math.pi).floor()  # below m: cosines are clamped
        return (1 - 2 * (k % 2)) * multiple - 2 * k
