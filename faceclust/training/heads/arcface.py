"""ArcFace: a margin that is added to the angle to the true class."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.cosine import CosineHead, angular_margin_target, replace_target, target_cosines


class ArcFace(CosineHead):
    """Additive angular margin loss of Deng et al. (2019), §2.1.

    The target logit is s cos(θ + m), all others s cos θ_j. The paper has s 64 and m .5 (radians). Beyond θ = π − m
    the cosine would rise again, so the target becomes s (cos θ − m sin m), as in the authors' code.
    """

    title = "ArcFace"
    paper = "Deng et al. (2019), ArcFace: Additive Angular Margin Loss for Deep Face Recognition, §2.1"
    formula = "T = cos(θ + m), beyond θ = π − m: cos θ − m sin m; N_j = cos θ_j"

    def __init__(self, dimension: int, classes: int, *, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= margin < math.pi:
            raise ValueError(f"margin must be at least 0 and below π, in radians, not {margin:g}")
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        target = angular_margin_target(target_cosines(cosines, labels), self.margin)
        return F.cross_entropy(self.scale * replace_target(cosines, labels, target), labels)
