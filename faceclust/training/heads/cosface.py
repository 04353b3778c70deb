"""CosFace: a margin that is subtracted from the cosine of the true class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.cosine import CosineHead, replace_target, target_cosines


class CosFace(CosineHead):
    """Large margin cosine loss of Wang et al. (2018), §3.1, also published as additive margin softmax (AM-Softmax).

    The target logit is s (cos θ − m), all others s cos θ_j. The paper has s 64 and m .35. Public code often has m .4.
    """

    title = "CosFace"
    paper = "Wang et al. (2018), CosFace: Large Margin Cosine Loss for Deep Face Recognition, §3.1"
    formula = "T = cos θ − m, N_j = cos θ_j"

    def __init__(self, dimension: int, classes: int, *, scale: float = 64.0, margin: float = 0.35) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= margin <= 2:
            raise ValueError(f"margin must be from 0 to 2, not {margin:g}")
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        target = target_cosines(cosines, labels) - self.margin
        return F.cross_entropy(self.scale * replace_target(cosines, labels, target), labels)
