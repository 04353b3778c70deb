"""CurricularFace: ArcFace that stresses hard wrong classes more and more as training goes on."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.cosine import (
    CosineHead,
    angular_margin_target,
    cos_plus,
    replace_target,
    target_cosines,
)


class CurricularFace(CosineHead):
    """T = cos(θ + m); a wrong class j is hard if cos θ_j > cos(θ + m), and then its logit is cos θ_j (t + cos θ_j).

    t is a moving average of the batches' mean cos θ from 0 on. It is updated before its use and not differentiated.
    Hard classes weigh less than others early in training, and more later.

    Source: Huang et al., "CurricularFace: Adaptive Curriculum Learning Loss for Deep Face Recognition", CVPR 2020,
    §3.2: m = .5, s = 64. `momentum` is the weight of the new value: .01 as in the authors' code. The paper's
    formula has the weights the other way round.
    """

    title = "CurricularFace"
    paper = "Huang et al. (2020), CurricularFace: Adaptive Curriculum Learning Loss for Deep Face Recognition, §3.2"
    formula = "T = cos(θ + m); if cos θ_j > T: N_j = cos θ_j (t + cos θ_j); t = moving average of cos θ"

    average_cosine: Tensor

    def __init__(
        self, dimension: int, classes: int, *, scale: float = 64.0, margin: float = 0.5, momentum: float = 0.01
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= margin < math.pi:
            raise ValueError(f"margin must be at least 0 and below π, in radians, not {margin:g}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, not {momentum:g}")
        self.margin, self.momentum = margin, momentum
        self.register_buffer("average_cosine", torch.zeros(()))  # t

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        own = target_cosines(cosines, labels)
        if self.training:
            with torch.no_grad():
                self.average_cosine = self.average_cosine.lerp(own.mean().to(self.average_cosine), self.momentum)
        hard = cosines > cos_plus(own, self.margin)[:, None]
        logits = torch.where(hard, cosines * (self.average_cosine + cosines), cosines)
        target = angular_margin_target(own, self.margin)
        return F.cross_entropy(self.scale * replace_target(logits, labels, target), labels)
