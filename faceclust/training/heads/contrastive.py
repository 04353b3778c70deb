"""Contrastive loss: pairs of one person close together, all others at least a margin apart."""

from __future__ import annotations

from torch import Tensor

from faceclust.training.heads.base import Head
from faceclust.training.heads.pair_distances import masked_mean, squared_distances

#: The least squared distance under a square root, whose gradient is infinite at 0.
MIN_SQUARED_DISTANCE = 1e-8


class Contrastive(Head):
    """Contrastive loss of Hadsell et al. (2006), §2.1, over all pairs of the batch.

    d is the L2 distance of unit vectors: d² for pairs of one person, max(0, m − d)² for all others. Each kind has a
    mean of its own, since the many pairs of different people would outweigh the others. The paper's factor ½ is left
    out. Default: m 1, because unrelated unit vectors are about 1.4 apart; the paper fixes no number.
    """

    title = "Contrastive loss"
    paper = "Hadsell et al. (2006), Dimensionality Reduction by Learning an Invariant Mapping, §2.1"
    formula = "mean d² of pairs of one person + mean max(0, m − d)² of other pairs"
    needs_groups = True

    def __init__(self, dimension: int, classes: int, *, margin: float = 1.0) -> None:
        super().__init__(dimension, classes)
        if not 0 < margin <= 2:
            raise ValueError(f"margin must be above 0 and at most 2, not {margin:g}")
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        squared = squared_distances(features)
        distances = squared.clamp(min=MIN_SQUARED_DISTANCE).sqrt()
        push = (self.margin - distances).clamp(min=0).square()
        same = labels[:, None] == labels
        return masked_mean(squared, same.triu(1)) + masked_mean(push, ~same)
