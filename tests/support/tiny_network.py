"""A backbone that trains in milliseconds, with the layers that have a state of their own."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize

SIDE = 16


class TinyNetwork(Backbone):
    """Two convolutions over chips of 16×16; batch normalisation and dropout can be left out."""

    title = "Tiny"
    paper = "none"
    published: ClassVar[PublishedSize] = PublishedSize((SIDE, SIDE), None, None)

    def __init__(self, *, dimension: int = 16, normalised: bool = True, dropout: float = 0.2) -> None:
        super().__init__(dimension, (SIDE, SIDE))
        norm = nn.BatchNorm2d if normalised else nn.Identity
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, stride=2, padding=1), norm(8), nn.PReLU(8)),
            *(nn.Conv2d(8, 16, 3, stride=2, padding=1), norm(16), nn.PReLU(16)),
            *(nn.Flatten(), nn.Dropout(dropout), nn.Linear(16 * 16, dimension)),
        )

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.body(chips)
        return features
