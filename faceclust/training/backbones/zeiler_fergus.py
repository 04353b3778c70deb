"""FaceNet's NN1: Zeiler and Fergus's network with 1×1 convolutions between its layers."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.backbones.layers import BatchNorm, Maxout, halve_size, normalised_convolution, parse_size

#: Table 1's convolutions: name, kernel, output channels, stride. "pool": 3×3 maximum with stride 2.
LAYERS: tuple[tuple[str, int, int, int] | str, ...] = (
    *(("conv1", 7, 64, 2), "pool"),
    *(("conv2a", 1, 64, 1), ("conv2", 3, 192, 1), "pool"),
    *(("conv3a", 1, 192, 1), ("conv3", 3, 384, 1), "pool"),
    *(("conv4a", 1, 384, 1), ("conv4", 3, 256, 1)),
    *(("conv5a", 1, 256, 1), ("conv5", 3, 256, 1)),
    *(("conv6a", 1, 256, 1), ("conv6", 3, 256, 1), "pool"),
)
#: Values in a hidden fully connected layer after maxout: 32 × 128.
HIDDEN = 32 * 128


class NN1(Backbone):
    """Schroff et al. 2015, "FaceNet", Table 1: 140 M parameters, most of them in two fully connected maxout layers.

    Differences from the table: batch normalisation after each convolution instead of the two local response
    normalisations (as in public implementations; the paper's own training took 1,000 hours and more), and after the
    last layer, so that feature norms start near √dimension. The heads do the final L2 normalisation.

    Settings: `dimension`; `size` "WxH", from 32x32.
    """

    title = "NN1 (Zeiler–Fergus)"
    paper = "Schroff et al. 2015, FaceNet: A unified embedding for face recognition and clustering, Table 1"
    published: ClassVar[PublishedSize] = PublishedSize((220, 220), 140e6, 1.6e9)

    def __init__(self, *, dimension: int = 128, size: str = "220x220") -> None:
        super().__init__(dimension, parse_size(size))
        self.body = nn.Sequential()
        channels = 3
        for i, layer in enumerate(LAYERS):
            if isinstance(layer, str):
                self.body.add_module(f"{layer}{i}", nn.MaxPool2d(3, 2, padding=1))
            else:
                name, kernel, outputs, stride = layer
                self.body.add_module(
                    name, normalised_convolution(channels, outputs, kernel, stride, activation=nn.ReLU())
                )
                channels = outputs
        columns, rows = halve_size(self.input_size, 5)
        self.fc1 = Maxout(channels * rows * columns, HIDDEN)
        self.fc2 = Maxout(HIDDEN, HIDDEN)
        self.fc7128 = nn.Linear(HIDDEN, dimension)
        self.norm = BatchNorm(dimension)

    def forward(self, chips: Tensor) -> Tensor:
        maps = self.body(chips).flatten(1)
        features: Tensor = self.norm(self.fc7128(self.fc2(self.fc1(maps))))
        return features
