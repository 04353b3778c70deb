"""Small networks and heads for tests of what happens after training."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.heads.base import Head


class TinyBackbone(Backbone):
    """Two convolutions with batch normalisation, a mean over cells and a linear layer."""

    title: ClassVar[str] = "Tiny"
    paper: ClassVar[str] = "none"
    published: ClassVar[PublishedSize] = PublishedSize((32, 32), None, None)

    def __init__(self, *, dimension: int = 16, size: str = "32x32", width: float = 1.0) -> None:
        side_width, side_height = map(int, size.split("x"))
        super().__init__(dimension, (side_width, side_height))
        if not 0 < width <= 4:
            raise ValueError(f"width must be above 0 and at most 4, not {width:g}")
        channels = round(8 * width)
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.PReLU(channels)),
            *(nn.Conv2d(channels, 2 * channels, 3, 2, 1), nn.BatchNorm2d(2 * channels), nn.PReLU(2 * channels)),
            *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * channels, dimension), nn.BatchNorm1d(dimension)),
        )

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.layers(chips)
        return features


class PlainHead(Head):
    """Softmax over inner products; embeddings are the features."""

    title: ClassVar[str] = "Plain"
    paper: ClassVar[str] = "none"
    formula: ClassVar[str] = "softmax"

    def __init__(self, dimension: int, classes: int, *, scale: float = 8.0) -> None:
        super().__init__(dimension, classes)
        self.scale = scale
        self.centres = nn.Parameter(torch.randn(classes, dimension))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        units = nn.functional.normalize(features.float())
        logits = self.scale * nn.functional.linear(units, nn.functional.normalize(self.centres))
        return nn.functional.cross_entropy(logits, labels)


class LayeredHead(PlainHead):
    """A head with layers that embeddings pass through."""

    def __init__(self, dimension: int, classes: int) -> None:
        super().__init__(dimension, classes)
        self.gate = nn.Linear(dimension, 4)
        self.parts = nn.Linear(dimension, 4 * dimension)

    def embed(self, features: Tensor) -> Tensor:
        weights = self.gate(features).softmax(1)
        parts = self.parts(features).view(-1, 4, self.dimension)
        return features + (weights[:, :, None] * parts).sum(1)
