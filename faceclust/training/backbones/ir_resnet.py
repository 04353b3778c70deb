"""IR-ResNet: the residual networks of ArcFace and InsightFace."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.backbones.layers import BatchNorm, convolution, halve_size, parse_size


class IRResNet(Backbone):
    """Deng et al. 2019, "ArcFace", §3.1, with `blocks` improved residual blocks in each of four stages.

    The first convolution is 3×3 with stride 1, and each stage halves the maps. The neck is BN, dropout, a fully
    connected layer over all positions, BN (option E of the paper's first version; the survey's neck). The last BN has
    no learnt scale, so that feature norms start near √dimension. Convolutions are initialised as those of the other
    backbones (He et al. 2015). InsightFace's N(0, .1) makes the features of an untrained network overflow.

    Settings: `dimension`; `size` "WxH", from 32x32; `dropout`, a probability below 1 (.4 in the paper's MXNet code,
    0 in InsightFace's PyTorch code).
    """

    blocks: ClassVar[tuple[int, int, int, int]]
    paper = "Deng et al. 2019, ArcFace: Additive angular margin loss for deep face recognition, §3.1"

    def __init__(self, *, dimension: int = 512, size: str = "112x112", dropout: float = 0.4) -> None:
        super().__init__(dimension, parse_size(size))
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {dropout:g}")
        layers: list[nn.Module] = [convolution(3, 64, 3), BatchNorm(64), nn.PReLU(64)]
        inputs = 64
        for channels, repetitions in zip((64, 128, 256, 512), self.blocks, strict=True):
            for i in range(repetitions):
                layers.append(ResidualBlock(inputs, channels, stride=2 if i == 0 else 1))
                inputs = channels
        self.body = nn.Sequential(*layers)
        columns, rows = halve_size(self.input_size, 4)
        last = BatchNorm(dimension)
        last.weight.requires_grad_(False)
        self.neck = nn.Sequential(
            BatchNorm(512), nn.Dropout(dropout), nn.Flatten(), nn.Linear(512 * rows * columns, dimension), last
        )

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.neck(self.body(chips))
        return features


class IRResNet18(IRResNet):
    """18 layers: 2, 2, 2 and 2 blocks."""

    title = "IR-ResNet-18"
    blocks = (2, 2, 2, 2)
    published = PublishedSize((112, 112), 24.03e6, 2.63e9, "counted in InsightFace's PyTorch code, not in a paper")


class IRResNet50(IRResNet):
    """50 layers: 3, 4, 14 and 3 blocks."""

    title = "IR-ResNet-50"
    blocks = (3, 4, 14, 3)
    published = PublishedSize((112, 112), 43.59e6, 6.33e9, "counted in InsightFace's PyTorch code, not in a paper")


class IRResNet100(IRResNet):
    """100 layers: 3, 13, 30 and 3 blocks."""

    title = "IR-ResNet-100"
    blocks = (3, 13, 30, 3)
    published = PublishedSize((112, 112), 65.16e6, 12.13e9, "counted in InsightFace's PyTorch code, not in a paper")


class ResidualBlock(nn.Module):
    """An improved residual block: BN, 3×3 convolution, BN, PReLU, 3×3 convolution with the stride, BN.

    The shortcut is a 1×1 convolution with the stride and BN if the shape changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(BatchNorm(inputs), convolution(inputs, outputs, 3), BatchNorm(outputs), nn.PReLU(outputs)),
            *(convolution(outputs, outputs, 3, stride), BatchNorm(outputs)),
        )
        changes = stride != 1 or inputs != outputs
        self.shortcut = (
            nn.Sequential(convolution(inputs, outputs, 1, stride), BatchNorm(outputs)) if changes else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        summed: Tensor = self.layers(maps) + self.shortcut(maps)
        return summed
