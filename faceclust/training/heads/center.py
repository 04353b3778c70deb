"""Center loss: softmax that also pulls each feature to the mean of its class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceclust.training.heads.base import Head, full_precision
from faceclust.training.heads.softmax import Softmax


class CenterLoss(Head):
    """Softmax plus λ/2 ‖x − c_y‖² of Wen et al. (2016), §3.2.

    The centres c_j are no parameters. After each training step, c_j moves by −α Σ (c_j − x) / (1 + n_j), with the sum
    over the n_j features of class j in the batch (equation 4). They start at 0. The softmax is the plain one, since
    the second term compares features with their norms.

    Defaults: λ .003 and α .5, as the paper's experiments are commonly quoted; not verified in the paper's text. The
    authors' example for Caffe has λ .008.
    """

    title = "Center loss"
    paper = "Wen et al. (2016), A Discriminative Feature Learning Approach for Deep Face Recognition, §3.2"
    formula = "softmax + λ/2 ‖x − c_y‖², with c_j moved by −α Σ (c_j − x) / (1 + n_j)"

    centres: Tensor

    def __init__(self, dimension: int, classes: int, *, weight: float = 0.003, rate: float = 0.5) -> None:
        """`weight` is λ, and `rate` is α."""
        super().__init__(dimension, classes)
        if not 0 <= weight <= 100:
            raise ValueError(f"weight must be from 0 to 100, not {weight:g}")
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be from 0 to 1, not {rate:g}")
        self.weight, self.rate = weight, rate
        self.softmax = Softmax(dimension, classes, normalised=False)
        self.register_buffer("centres", torch.zeros(classes, dimension))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        features = full_precision(features)
        offsets = features - self.centres[labels].to(features.dtype)
        loss: Tensor = self.softmax(features, labels)
        if self.training:
            self._move_centres(offsets.detach(), labels)
        return loss + self.weight / 2 * offsets.square().sum(1).mean()

    def _move_centres(self, offsets: Tensor, labels: Tensor) -> None:
        """Move the centres towards features at `offsets` (n, d) from them."""
        sums = torch.zeros_like(self.centres).index_add(0, labels, offsets.to(self.centres.dtype))
        counts = labels.bincount(minlength=self.classes)
        self.centres += self.rate * sums / (1 + counts)[:, None]

    def predict(self, features: Tensor) -> Tensor:
        return self.softmax.predict(features)

    def undecayed_parameters(self) -> list[nn.Parameter]:
        return []
