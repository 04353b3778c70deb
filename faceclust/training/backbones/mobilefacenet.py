"""MobileFaceNet: inverted residual bottlenecks and a global depth-wise convolution."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.backbones.layers import BatchNorm, GlobalAverage, halve_size, normalised_convolution, parse_size

#: Table 1's bottlenecks: expansion t, channels c, repetitions n, stride s of the first one.
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class MobileFaceNet(Backbone):
    """Chen et al. 2018, "MobileFaceNets", Table 1, with PReLU and batch normalisation.

    Settings: `dimension`; `size` "WxH", from 32x32 (the paper has 112x112, 96x112 and 96x96); `width` multiplies all
    channels, rounded to multiples of 8; `pooling` "depthwise" is the paper's global depth-wise convolution, "average"
    the global average pooling that it replaces (§3.1, Table 2). Initialised as `convolution` describes, PReLU with .25.
    """

    title = "MobileFaceNet"
    paper = "Chen et al. 2018, MobileFaceNets: Efficient CNNs for accurate real-time face verification, Table 1"
    published: ClassVar[PublishedSize] = PublishedSize((112, 112), 0.99e6, 221e6)

    def __init__(
        self, *, dimension: int = 128, size: str = "112x112", width: float = 1.0, pooling: str = "depthwise"
    ) -> None:
        super().__init__(dimension, parse_size(size))
        if not 0.1 <= width <= 4:
            raise ValueError(f"width must be 0.1 to 4, not {width:g}")
        if pooling not in ("depthwise", "average"):
            raise ValueError(f"pooling must be depthwise or average, not {pooling!r}")

        def scale(channels: int) -> int:
            return max(8, 8 * round(channels * width / 8))

        inputs, last = scale(64), scale(512)
        layers: list[nn.Module] = [
            normalised_convolution(3, inputs, 3, stride=2, activation=nn.PReLU(inputs)),
            normalised_convolution(inputs, inputs, 3, groups=inputs, activation=nn.PReLU(inputs)),
        ]
        for expansion, channels, repetitions, stride in BOTTLENECKS:
            for i in range(repetitions):
                layers.append(Bottleneck(inputs, scale(channels), expansion, stride if i == 0 else 1))
                inputs = scale(channels)
        self.body = nn.Sequential(*layers, normalised_convolution(inputs, last, 1, activation=nn.PReLU(last)))
        columns, rows = halve_size(self.input_size, 4)
        pool = GlobalDepthwise(last, rows, columns) if pooling == "depthwise" else GlobalAverage()
        self.features = nn.Sequential(
            pool, BatchNorm(last), nn.Linear(last, dimension, bias=False), BatchNorm(dimension)
        )

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.features(self.body(chips))
        return features


class Bottleneck(nn.Module):
    """MobileNetV2's inverted residual (Sandler et al. 2018, §3.3): 1×1 expansion, 3×3 depth-wise, 1×1 linear. The
    input is added if the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            normalised_convolution(inputs, hidden, 1, activation=nn.PReLU(hidden)),
            normalised_convolution(hidden, hidden, 3, stride, groups=hidden, activation=nn.PReLU(hidden)),
            normalised_convolution(hidden, outputs, 1),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        changed: Tensor = self.layers(maps)
        return maps + changed if self.is_residual else changed


class GlobalDepthwise(nn.Module):
    """Global depth-wise convolution (eq. 1): a weighted sum of each map, with weights of its own for each position
    and channel: (n, c, h, w) → (n, c)."""

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, (rows, columns), groups=channels, bias=False)
        nn.init.normal_(self.convolution.weight, std=(rows * columns) ** -0.5)  # keeps the mean square

    def forward(self, maps: Tensor) -> Tensor:
        pooled: Tensor = self.convolution(maps).flatten(1)
        return pooled
