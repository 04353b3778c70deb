"""AdaFace: the margin's kind depends on image quality, which the norm of the feature stands for."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.base import full_precision
from faceclust.training.heads.cosine import CosineHead, replace_target, target_cosines

#: Bounds of norms and angles in the authors' code.
_NORMS, _EPSILON = (0.001, 100.0), 0.001


class AdaFace(CosineHead):
    """T = cos(θ − m ẑ) − (m ẑ + m) with ẑ = h (‖x‖ − μ) / σ clipped to −1 to 1.

    ẑ = −1 is ArcFace, for faces of poor quality; 0 is CosFace; 1 stresses hard faces of good quality. μ and σ are
    moving averages of the batches' mean and standard deviation of ‖x‖. Nothing is differentiated through ẑ. The angle
    θ − m ẑ is clamped to .001 to π − .001.

    Source: Kim, Jain and Liu, "AdaFace: Quality Adaptive Margin for Face Recognition", CVPR 2022; eq. 49 and 50 in the
    survey of Wang et al., arXiv 2212.13038. m = .4, h = .333, s = 64. From the authors' code are the start at μ = 20
    and σ = 100, the clipping of norms to .001 to 100, and the new value's weight of .01 (`momentum`). For the first
    hundreds of steps, ẑ is near 0. A batch of one face leaves σ as it is.
    """

    title = "AdaFace"
    paper = "Kim et al. (2022), AdaFace: Quality Adaptive Margin for Face Recognition"
    formula = "T = cos(θ − m ẑ) − (m ẑ + m), ẑ = h (‖x‖ − μ)/σ clipped to ±1"
    norm_is_quality = True

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        scale: float = 64.0,
        margin: float = 0.4,
        concentration: float = 0.333,
        momentum: float = 0.01,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= margin < math.pi:
            raise ValueError(f"margin must be at least 0 and below π, in radians, not {margin:g}")
        if not 0 <= concentration < math.inf:
            raise ValueError(f"concentration must be at least 0, not {concentration:g}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, not {momentum:g}")
        self.margin, self.concentration, self.momentum = margin, concentration, momentum
        self.register_buffer("mean", torch.tensor(20.0))  # μ
        self.register_buffer("deviation", torch.tensor(100.0))  # σ

    def measure_quality(self, features: Tensor) -> Tensor:
        """Return ẑ (n,) of features (n, d), not differentiable. In training, update μ and σ first."""
        with torch.no_grad():
            norms: Tensor = full_precision(features).norm(dim=1).clamp(*_NORMS)
            if self.training:
                self.mean = self.mean.lerp(norms.mean().to(self.mean), self.momentum)
                if len(norms) > 1:
                    self.deviation = self.deviation.lerp(norms.std().to(self.deviation), self.momentum)
            standardised = (norms - self.mean) / (self.deviation + _EPSILON)
            return (self.concentration * standardised).clamp(-1, 1)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        quality = self.measure_quality(features)
        cosines = self.cosines(features)
        angles = target_cosines(cosines, labels).acos() - self.margin * quality
        target = angles.clamp(_EPSILON, math.pi - _EPSILON).cos() - self.margin * (quality + 1)
        return F.cross_entropy(self.scale * replace_target(cosines, labels, target), labels)
