"""The interface of a backbone: normalised chips to raw features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

#: A chip's RGB values 0 to 255 enter a backbone as (value − MEAN) / SCALE.
MEAN, SCALE = 127.5, 127.5


@dataclass(frozen=True)
class PublishedSize:
    """What a paper states about a network: `parameters` and `multiply_adds` of one image of `input_size` (width,
    height). None if it is not stated. `note` explains a difference from what we count."""

    input_size: tuple[int, int]
    parameters: float | None
    multiply_adds: float | None
    note: str = ""


class Backbone(nn.Module):
    """A network from chips to features.

    Subclasses are constructed as `SubClass(*, dimension=…, size=…, **settings)`. The settings are keyword-only
    parameters with defaults and simple types: `faceclust train --list` shows them and `--set backbone.NAME=VALUE`
    changes them. `size` is the chip as "WxH". A subclass raises ValueError if a setting is out of range.
    """

    title: ClassVar[str]
    paper: ClassVar[str]
    published: ClassVar[PublishedSize]

    def __init__(self, dimension: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        if not 1 <= dimension <= 4096:
            raise ValueError(f"dimension must be 1 to 4096, not {dimension}")
        self.dimension, self.input_size = dimension, input_size  # input_size: (width, height), px

    def forward(self, chips: Tensor) -> Tensor:
        """Return features (n, d), not normalised, of chips float (n, 3, h, w), normalised by MEAN and SCALE."""
        raise NotImplementedError
