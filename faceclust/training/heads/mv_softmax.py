"""MV-Softmax: larger logits for the wrong classes that a face is mistaken for."""

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

_MARGINS = {"arcface": 0.5, "cosface": 0.35}


class MVSoftmax(CosineHead):
    """A wrong class j is misclassified if cos θ_j exceeds the target with its margin. Its logit is then raised:
    to (t + 1) cos θ_j + t in the mode "adaptive" and to cos θ_j + t in the mode "fixed".

    `target` is "arcface", T = cos(θ + m), or "cosface", T = cos θ − m. `hardness` is t: 0 is plain ArcFace or CosFace,
    and training hardly converges above .4. A negative `margin` is the published one of the target: .5 or .35.

    Source: Wang, Zhang, Wang, Fu, Shi and Mei, "Mis-classified Vector Guided Softmax Loss for Face Recognition", AAAI
    2020. The defaults t = .2 and s = 32 and the modes are from the authors' code. As in our ArcFace, the target keeps
    falling beyond θ = π − m; the authors' code drops the margin for cos θ ≤ 0 instead.
    """

    title = "MV-Softmax"
    paper = "Wang et al. (2020), Mis-classified Vector Guided Softmax Loss for Face Recognition; defaults of the code"
    formula = "T of arcface (m .5) or cosface (m .35); if cos θ_j > T: N_j = (t + 1) cos θ_j + t, fixed: cos θ_j + t"

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        mode: str = "adaptive",
        target: str = "arcface",
        scale: float = 32.0,
        margin: float = -1.0,
        hardness: float = 0.2,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if mode not in ("adaptive", "fixed"):
            raise ValueError(f"mode must be adaptive or fixed, not {mode!r}")
        if target not in _MARGINS:
            raise ValueError(f"target must be arcface or cosface, not {target!r}")
        if not margin < math.pi:
            raise ValueError(f"margin must be below π, in radians, not {margin:g}")
        if not 0 <= hardness < math.inf:
            raise ValueError(f"hardness must be at least 0, not {hardness:g}")
        self.mode, self.target, self.hardness = mode, target, hardness
        self.margin = margin if margin >= 0 else _MARGINS[target]

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        own = target_cosines(cosines, labels)
        if self.target == "arcface":
            threshold, target = cos_plus(own, self.margin), angular_margin_target(own, self.margin)
        else:
            threshold = target = own - self.margin
        factor = self.hardness + 1 if self.mode == "adaptive" else 1.0
        logits = torch.where(cosines > threshold[:, None], factor * cosines + self.hardness, cosines)
        return F.cross_entropy(self.scale * replace_target(logits, labels, target), labels)
