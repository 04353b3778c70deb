"""FaceNet's triplet loss, with the ways to choose negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceclust.training.heads.base import Head, unit_vectors
from faceclust.training.heads.pair_distances import masked_mean, squared_distances

MININGS = ("semi-hard", "hard", "all", "offline")


class Triplet(Head):
    """Triplet loss of Schroff et al. (2015), FaceNet, §3.1 and §3.2, over squared L2 distances of unit vectors.

    A triplet of anchor a, positive p and negative n costs max(0, d²(a, p) − d²(a, n) + m). All pairs of anchor and
    positive of the batch are used. `mining` chooses their negatives:

    - semi-hard: a random one with d²(a, p) < d²(a, n) < d²(a, p) + m. Pairs without one are left out.
    - hard: the nearest. Starting with it can collapse all embeddings into one point (§3.2).
    - all: each one that costs something (Hermans et al. 2017, In Defense of the Triplet Loss, §2, "batch all").
    - offline: batches hold the triplets that a sampler chose with the embeddings of up to `every` steps before (§3.2).

    The loss is a mean over the triplets used, 0 if there are none; the paper has the sum. Default: m .2 (§3.3, as
    readers of the paper quote it). The paper gives no number for `every`.
    """

    title = "Triplet loss"
    paper = "Schroff et al. (2015), FaceNet: A Unified Embedding for Face Recognition and Clustering, §3.1–3.2"
    formula = "mean max(0, d²(a, p) − d²(a, n) + m)"
    needs_groups = True

    def __init__(
        self, dimension: int, classes: int, *, margin: float = 0.2, mining: str = "semi-hard", every: int = 1000
    ) -> None:
        super().__init__(dimension, classes)
        if not 0 < margin <= 4:
            raise ValueError(f"margin must be above 0 and at most 4, not {margin:g}")
        if mining not in MININGS:
            raise ValueError(f"mining must be one of {', '.join(MININGS)}, not {mining!r}")
        if not 1 <= every <= 1_000_000:
            raise ValueError(f"every must be from 1 to 1,000,000 steps, not {every:,}")
        self.margin, self.mining, self.every = margin, mining, every

    @property
    def sampler(self) -> str:
        return "triplets" if self.mining == "offline" else "people"

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss. Raises ValueError if an offline batch does not consist of triplets."""
        if self.mining == "offline":
            return self._mean_of_given(features)
        squared = squared_distances(features)
        same = labels[:, None] == labels
        anchors, positives = same.fill_diagonal_(False).nonzero(as_tuple=True)
        others = labels[anchors, None] != labels  # (pairs, n)
        to_positive = squared[anchors, positives]
        if self.mining == "all":
            excess = to_positive[:, None] - squared[anchors] + self.margin
            return masked_mean(excess, others & (excess > 0))
        negatives, found = self._choose_negatives(to_positive.detach(), squared.detach()[anchors], others)
        excess = to_positive - squared[anchors, negatives] + self.margin
        return masked_mean(excess.clamp(min=0), found)

    def _choose_negatives(self, to_positive: Tensor, to_all: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Return a position in the batch for each pair (pairs,), and whether it is a negative (pairs,).

        `to_all` (pairs, n) are squared distances from the anchor, and `others` (pairs, n) marks other people's faces.
        """
        if self.mining == "hard":
            return to_all.masked_fill(~others, math.inf).argmin(1), others.any(1)
        farther = to_all > to_positive[:, None]
        semi_hard = others & farther & (to_all < to_positive[:, None] + self.margin)
        keys = torch.rand(semi_hard.shape, device=semi_hard.device)  # torch's generator: a resumed run continues it
        return keys.masked_fill(~semi_hard, -1).argmax(1), semi_hard.any(1)

    def _mean_of_given(self, features: Tensor) -> Tensor:
        """Return the loss of triplets: rows 3i are anchors, 3i + 1 positives and 3i + 2 negatives."""
        if len(features) % 3:
            raise ValueError(f"a batch of triplets cannot have {len(features)} faces")
        anchors, positives, negatives = unit_vectors(features).view(-1, 3, self.dimension).unbind(1)
        to_positive, to_negative = (anchors - positives).square().sum(1), (anchors - negatives).square().sum(1)
        return (to_positive - to_negative + self.margin).clamp(min=0).mean()
