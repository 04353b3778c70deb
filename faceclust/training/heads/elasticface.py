"""ElasticFace: ArcFace or CosFace with a random margin for each face."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.cosine import CosineHead, angular_margin_target, replace_target, target_cosines

#: Published margin m and deviation σ, by base and plus.
_PUBLISHED = {
    ("arcface", False): (0.5, 0.05),
    ("arcface", True): (0.5, 0.0175),
    ("cosface", False): (0.35, 0.05),
    ("cosface", True): (0.35, 0.02),
}


class ElasticFace(CosineHead):
    """Each face of a batch gets a margin drawn from N(m, σ). `base` is "arcface", T = cos(θ + m), or "cosface",
    T = cos θ − m. With `plus`, the face with the smallest cos θ gets the largest of the batch's margins, and so on.

    Margins are drawn from torch's global generator. In evaluation they are all m. A negative `margin` or `deviation`
    is the published one: m .5 (arcface) or .35 (cosface), σ .05, with `plus` .0175 (arcface) or .02 (cosface).

    Source: Boutros, Damer, Kirchbuchner and Kuijper, "ElasticFace: Elastic Margin Loss for Deep Face Recognition",
    CVPR Workshops 2022. The defaults are those of the authors' training settings, s = 64. The implementation is
    derived from the formula. In the authors' code of `plus`, the sorted margins are assigned by the inverse
    permutation; here they are assigned as in the paper.
    """

    title = "ElasticFace"
    paper = "Boutros et al. (2022), ElasticFace: Elastic Margin Loss for Deep Face Recognition"
    formula = "T of arcface with m ~ N(.5, σ) or cosface with m ~ N(.35, σ); plus: the largest m for the smallest cos θ"

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        base: str = "arcface",
        plus: bool = False,
        scale: float = 64.0,
        margin: float = -1.0,
        deviation: float = -1.0,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if (base, plus) not in _PUBLISHED:
            raise ValueError(f"base must be arcface or cosface, not {base!r}")
        if not margin < math.pi:
            raise ValueError(f"margin must be below π, in radians, not {margin:g}")
        if not deviation <= 1:
            raise ValueError(f"deviation must be at most 1, not {deviation:g}")
        published_margin, published_deviation = _PUBLISHED[base, plus]
        self.base, self.plus = base, plus
        self.margin = margin if margin >= 0 else published_margin
        self.deviation = deviation if deviation >= 0 else published_deviation

    def draw_margins(self, own: Tensor) -> Tensor:
        """Return the margins (n,) of faces whose cosines with their own class are `own` (n,)."""
        if not self.training:
            return torch.full_like(own, self.margin)
        margins = self.margin + self.deviation * torch.randn_like(own)
        if self.plus:
            hardest_first = own.detach().argsort(stable=True)
            margins = margins.scatter(0, hardest_first, margins.sort(descending=True).values)
        return margins

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(features)
        own = target_cosines(cosines, labels)
        margins = self.draw_margins(own)
        target = angular_margin_target(own, margins) if self.base == "arcface" else own - margins
        return F.cross_entropy(self.scale * replace_target(cosines, labels, target), labels)
