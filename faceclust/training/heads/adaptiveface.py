"""AdaptiveFace: a margin for each class, learnt with the network."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceclust.training.heads.base import full_precision
from faceclust.training.heads.cosine import CosineHead, compare_directions, replace_target, target_cosines


class AdaptiveFace(CosineHead):
    """CosFace with a learnt margin m_y for each class y (AdaM-Softmax): classes with few faces get larger margins.

    T = cos θ_y − m_y, and the loss has − λ · mean_j m_j added, without which all margins would fall to 0. Each step of
    training first clamps the margins to 0 to 1. Without other forces, the margin of a class with an average number of
    faces rests at a mean probability of λ / s for the wrong classes. The loss can be negative.

    `prototypes` k is hard prototype mining (HPM): besides the classes of the batch, only the k classes nearest to each
    of them are in the softmax; 0 for all classes. It pays with 100,000 classes and more. The paper keeps the nearest
    classes in queues; here they are found in each step. `adaptive_sampling` chooses the sampler that shows a face less
    often once it is classified correctly (ADS).

    Source: Liu, Zhu, Lei and Li, "AdaptiveFace: Adaptive Margin and Sampling for Face Recognition", CVPR 2019, eq. 4.
    Scale 32 and the bounds are from the code of FaceX-Zoo, whose margins start at random from .3 to .4; here they all
    start at .35. λ was not found in the paper. FaceX-Zoo's λ of 70 exceeds the scale, so that margins rise to 1
    whatever the loss is; λ = 5 is our choice.
    """

    title = "AdaptiveFace"
    paper = "Liu et al. (2019), AdaptiveFace: Adaptive Margin and Sampling for Face Recognition, eq. 4; λ is our choice"
    formula = "T = cos θ − m_y with learnt m_y, N_j = cos θ_j; the loss less λ mean(m)"

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        scale: float = 32.0,
        margin: float = 0.35,
        regulariser: float = 5.0,
        prototypes: int = 0,
        adaptive_sampling: bool = False,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= margin <= 1:
            raise ValueError(f"margin must be from 0 to 1, not {margin:g}")
        if not 0 <= regulariser < math.inf:
            raise ValueError(f"regulariser must be at least 0, not {regulariser:g}")
        if prototypes < 0:
            raise ValueError(f"prototypes must be at least 0, not {prototypes}")
        self.margins = nn.Parameter(torch.full((classes,), margin))
        self.regulariser, self.prototypes, self.adaptive_sampling = regulariser, prototypes, adaptive_sampling

    @property
    def sampler(self) -> str:
        return "adaptive" if self.adaptive_sampling else super().sampler

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.margins.clamp_(0, 1)
        margins = full_precision(self.margins)
        if self.training and 0 < self.prototypes < self.classes - 1:
            chosen = self.mine_prototypes(labels)
            cosines, columns = compare_directions(features, self.centres[chosen]), torch.searchsorted(chosen, labels)
        else:
            cosines, columns = self.cosines(features), labels
        target = target_cosines(cosines, columns) - margins[labels]
        loss = F.cross_entropy(self.scale * replace_target(cosines, columns, target), columns)
        return loss - self.regulariser * margins.mean()

    def mine_prototypes(self, labels: Tensor) -> Tensor:
        """Return, sorted, the classes in `labels` and the `prototypes` classes nearest to each of them."""
        with torch.no_grad():
            present = torch.unique(labels)
            cosines = compare_directions(self.centres[present], self.centres).scatter(1, present[:, None], -math.inf)
            nearest = cosines.topk(self.prototypes, dim=1).indices
            chosen: Tensor = torch.unique(torch.cat([present, nearest.flatten()]))
            return chosen
