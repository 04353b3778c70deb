"""MagFace: ArcFace with a margin that grows with the norm of the feature, which becomes a measure of quality."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from faceclust.errors import UsageError
from faceclust.training.heads.base import full_precision
from faceclust.training.heads.cosine import CosineHead, angular_margin_target, replace_target, target_cosines

#: The share of the first batch's norms that must be above l_a: features below get no gradient through the norm.
_LEAST_SHARE = 0.1


class MagFace(CosineHead):
    """T = cos(θ + m(a)) with a = ‖x‖ clamped to l_a to u_a; m(a) rises linearly from l_m to u_m. The loss has
    λ_g (1/a + a/u_a²) added, which rewards large norms: faces that are easy to recognise can afford them.

    Both terms are differentiated in a. As in the authors' code, features with a norm outside l_a to u_a get no
    gradient through it: a network whose norms all start below l_a learns no quality, and `check_start` refuses it.

    Source: Meng, Zhao, Huang and Zhou, "MagFace: A Universal Representation for Face Recognition and Quality
    Assessment", CVPR 2021; eq. 48 in the survey of Wang et al., arXiv 2212.13038. l_a = 10, u_a = 110, u_m = .8,
    λ_g = 35 and s = 64 are the paper's; l_m = .45 is from the authors' code, the paper has .4. An optimal norm exists
    if λ_g ≥ s k u_a² l_a² / (u_a² − l_a²) with slope k of m: at least 22.6 here. The default 20 in the authors' code
    is below that.
    """

    title = "MagFace"
    paper = "Meng et al. (2021), MagFace: A Universal Representation for Face Recognition and Quality Assessment"
    formula = "T = cos(θ + m(a)) with a = ‖x‖, N_j = cos θ_j; the loss plus λ (1/a + a/u²)"
    norm_is_quality = True

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        scale: float = 64.0,
        lowest_norm: float = 10.0,
        highest_norm: float = 110.0,
        lowest_margin: float = 0.45,
        highest_margin: float = 0.8,
        regulariser: float = 35.0,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 < lowest_norm < highest_norm < math.inf:
            raise ValueError(f"norms must be above 0 and in order, not {lowest_norm:g} to {highest_norm:g}")
        if not 0 <= lowest_margin <= highest_margin < math.pi:
            raise ValueError(
                f"margins must be at least 0, below π and in order, not {lowest_margin:g} to {highest_margin:g}"
            )
        if not 0 <= regulariser < math.inf:
            raise ValueError(f"regulariser must be at least 0, not {regulariser:g}")
        self.lowest_norm, self.highest_norm, self.regulariser = lowest_norm, highest_norm, regulariser
        self.lowest_margin, self.slope = lowest_margin, (highest_margin - lowest_margin) / (highest_norm - lowest_norm)

    def check_start(self, features: Tensor) -> None:
        norms = full_precision(features).norm(dim=1)
        if (norms > self.lowest_norm).float().mean() < _LEAST_SHARE:
            norm = float(norms.median())
            raise UsageError(
                f"MagFace learns no quality from this network: its features start with norms near {norm:.3g}, "
                f"below lowest_norm {self.lowest_norm:g}",
                hint=f"--set head.lowest_norm={0.8 * norm:.2g}, or a larger backbone.dimension",
            )

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        norms: Tensor = full_precision(features).norm(dim=1).clamp(self.lowest_norm, self.highest_norm)
        margins = self.lowest_margin + self.slope * (norms - self.lowest_norm)
        cosines = self.cosines(features)
        target = angular_margin_target(target_cosines(cosines, labels), margins)
        rewards = 1 / norms + norms / self.highest_norm**2
        loss = F.cross_entropy(self.scale * replace_target(cosines, labels, target), labels)
        return loss + self.regulariser * rewards.mean()
