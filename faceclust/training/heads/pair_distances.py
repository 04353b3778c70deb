"""Distances between the faces of a batch, for losses over pairs and triplets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceclust.training.heads.base import unit_vectors


def squared_distances(features: Tensor) -> Tensor:
    """Return the squared L2 distances (n, n) of the unit vectors of features (n, d); under autocast in float32.

    Rounding makes distances near 0 slightly negative.
    """
    with torch.autocast(features.device.type, enabled=False):
        units = unit_vectors(features)
        squares = units.square().sum(1)
        return squares[:, None] + squares - 2 * F.linear(units, units)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values in the mask, a scalar; 0 with zero gradients if the mask is empty."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
