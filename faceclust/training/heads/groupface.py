"""GroupFace: an embedding with parts for latent groups of people, trained with ArcFace."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceclust.training.heads.arcface import ArcFace
from faceclust.training.heads.base import full_precision

#: The expected group probabilities are the mean of this many batches.
_REMEMBERED_BATCHES = 128


class GroupFace(ArcFace):
    """ArcFace of v + Σ_k p_k v_k. v is the feature, v_k a linear map of it for each of K groups, and p the softmax of
    a decision network. These layers belong to the embedding (`embed`).

    The groups need no labels: a face belongs to the group argmax_k (p_k − E[p_k]) with E over the last 128 batches,
    which are saved state. The cross-entropy of p with that group is added with weight λ. Subtracting E balances the
    groups.

    Source: Kim, Park, Roh and Shin, "GroupFace: Learning Latent Groups and Constructing Group-based Representations
    for Face Recognition", CVPR 2020, eq. 2 and 8: λ = .1, decision network of three fully connected layers, soft
    grouping. K = 32 is from the survey of Wang et al., arXiv 2212.13038. There is no official code. m = .5 and s = 64
    are ArcFace's, and the ReLU between the layers is our choice. The paper's maps start from the last map of the
    backbone, ours from its feature. The group-aware similarity of the paper is not used: packs compare embeddings by
    distance.
    """

    title = "GroupFace"
    paper = (
        "Kim et al. (2020), GroupFace: Learning Latent Groups and Constructing Group-based Representations, eq. 2 and 8"
    )
    formula = "ArcFace of v + Σ p_k v_k, plus λ times the cross-entropy of p with the group argmax(p − E[p])"

    recent: Tensor
    batches: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        groups: int = 32,
        scale: float = 64.0,
        margin: float = 0.5,
        decision_weight: float = 0.1,
    ) -> None:
        super().__init__(dimension, classes, scale=scale, margin=margin)
        if not 2 <= groups <= 1024:
            raise ValueError(f"groups must be from 2 to 1,024, not {groups:,}")
        if not 0 <= decision_weight < math.inf:
            raise ValueError(f"decision_weight must be at least 0, not {decision_weight:g}")
        self.groups, self.decision_weight = groups, decision_weight
        self.group_layers = nn.Linear(dimension, groups * dimension, bias=False)
        self.decision = nn.Sequential(
            *(nn.Linear(dimension, dimension), nn.ReLU(), nn.Linear(dimension, dimension), nn.ReLU()),
            nn.Linear(dimension, groups),
        )
        self.register_buffer("recent", torch.zeros(_REMEMBERED_BATCHES, groups))  # mean p of batches, newest last
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def embed(self, features: Tensor) -> Tensor:
        return self._combine(features, self.decision(features).softmax(1))

    def _combine(self, features: Tensor, probabilities: Tensor) -> Tensor:
        parts = self.group_layers(features).view(-1, self.groups, self.dimension)
        combined: Tensor = features + (probabilities[:, :, None] * parts).sum(1)
        return combined

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            features = full_precision(features)
            decisions = self.decision(features)
            probabilities = decisions.softmax(1)
            loss = super().forward(self._combine(features, probabilities), labels)
            groups = self._assign_groups(probabilities.detach())
            return loss + self.decision_weight * F.cross_entropy(decisions, groups)

    def _assign_groups(self, probabilities: Tensor) -> Tensor:
        """Return the group int64 (n,) of each face. A batch of training counts in the expectation."""
        if self.training:
            self.recent = torch.cat([self.recent[1:], probabilities.mean(0, keepdim=True).to(self.recent)])
            self.batches = self.batches + 1
        expected = self.recent.sum(0) / self.batches.clamp(1, _REMEMBERED_BATCHES)
        return (probabilities - expected).argmax(1)

    def predict(self, features: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            return super().predict(self.embed(full_precision(features)))

    def undecayed_parameters(self) -> list[nn.Parameter]:
        return [self.centres]
