"""FaceNet's Inception networks: NN2, NN3 and NN4, and the small NNS1 and NNS2."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone, PublishedSize
from faceclust.training.backbones.layers import (
    BatchNorm,
    GlobalAverage,
    L2Pool,
    halve_size,
    normalised_convolution,
    parse_size,
)

PAPER = "Schroff et al. 2015, FaceNet: A unified embedding for face recognition and clustering"


class Filters(NamedTuple):
    """A row of Table 2: the filters of one Inception module.

    `convolutions` are the output channels in the table's order: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5; 0 for none.
    `pool` is "max" or "l2", `projection` the channels of the 1×1 convolution after it, 0 for none. `stride` is that
    of the 3×3 and 5×5 convolutions and of the pool.
    """

    name: str
    convolutions: tuple[int, ...]
    pool: str
    projection: int = 0
    stride: int = 1


#: Channels of conv1, and of the 1×1 and the 3×3 convolution of "inception (2)".
STEM = (64, 64, 192)
#: Table 2 from 3a on.
TABLE_2 = (
    Filters("3a", (64, 96, 128, 16, 32), "max", 32),
    Filters("3b", (64, 96, 128, 32, 64), "l2", 64),
    Filters("3c", (0, 128, 256, 32, 64), "max", stride=2),
    Filters("4a", (256, 96, 192, 32, 64), "l2", 128),
    Filters("4b", (224, 112, 224, 32, 64), "l2", 128),
    Filters("4c", (192, 128, 256, 32, 64), "l2", 128),
    Filters("4d", (160, 144, 288, 32, 64), "l2", 128),
    Filters("4e", (0, 160, 256, 64, 128), "max", stride=2),
    Filters("5a", (384, 192, 384, 48, 128), "l2", 128),
    Filters("5b", (384, 192, 384, 48, 128), "max", 128),
)


class InceptionNet(Backbone):
    """A 7×7 convolution, "inception (2)", Inception modules, and a last layer.

    The last layer is fully connected over the mean of each map (NN2 to NN4), or over a hidden layer of `hidden`
    values that sees all positions (NNS1, NNS2). Differences from the paper: batch normalisation after each
    convolution instead of the two local response normalisations (as in public implementations; the paper's own training
    took 1,000 hours and more), and after the last layer, so that feature norms start near √dimension. The
    heads do the final L2 normalisation.

    Settings: `dimension`; `size` "WxH", from 32x32.
    """

    def __init__(
        self, dimension: int, size: str, stem: tuple[int, int, int], modules: tuple[Filters, ...], hidden: int = 0
    ) -> None:
        super().__init__(dimension, parse_size(size))
        first, reduce, channels = stem
        self.body = nn.Sequential()
        self.body.add_module("conv1", normalised_convolution(3, first, 7, 2, activation=nn.ReLU()))
        self.body.add_module("pool1", nn.MaxPool2d(3, 2, padding=1))
        self.body.add_module("inception2a", normalised_convolution(first, reduce, 1, activation=nn.ReLU()))
        self.body.add_module("inception2", normalised_convolution(reduce, channels, 3, activation=nn.ReLU()))
        self.body.add_module("pool2", nn.MaxPool2d(3, 2, padding=1))
        for filters in modules:
            module = InceptionModule(channels, filters)
            self.body.add_module(f"inception{filters.name}", module)
            channels = module.channels
        columns, rows = halve_size(self.input_size, 3 + sum(filters.stride == 2 for filters in modules))
        last: list[nn.Module] = [GlobalAverage()]
        if hidden:
            last = [
                nn.Flatten(),
                nn.Linear(channels * columns * rows, hidden, bias=False),
                BatchNorm(hidden),
                nn.ReLU(),
            ]
            channels = hidden
        self.features = nn.Sequential(*last, nn.Linear(channels, dimension), BatchNorm(dimension))

    def forward(self, chips: Tensor) -> Tensor:
        features: Tensor = self.features(self.body(chips))
        return features


class InceptionModule(nn.Module):
    """1×1, 3×3 and 5×5 convolutions and a 3×3 pool side by side; their channels, `channels` in all, are concatenated
    in this order."""

    def __init__(self, inputs: int, filters: Filters) -> None:
        super().__init__()
        ones, reduce_threes, threes, reduce_fives, fives = filters.convolutions
        branches: list[nn.Module] = []
        if ones:
            branches.append(normalised_convolution(inputs, ones, 1, activation=nn.ReLU()))
        for kernel, reduce, outputs in ((3, reduce_threes, threes), (5, reduce_fives, fives)):
            if outputs:
                reduction = normalised_convolution(inputs, reduce, 1, activation=nn.ReLU())
                branches.append(
                    nn.Sequential(
                        reduction, normalised_convolution(reduce, outputs, kernel, filters.stride, activation=nn.ReLU())
                    )
                )
        pool = nn.Sequential(
            L2Pool(filters.stride) if filters.pool == "l2" else nn.MaxPool2d(3, filters.stride, padding=1)
        )
        if filters.projection:
            pool.append(normalised_convolution(inputs, filters.projection, 1, activation=nn.ReLU()))
        self.branches = nn.ModuleList([*branches, pool])
        self.channels = ones + threes + fives + (filters.projection or inputs)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def _without_fives(modules: tuple[Filters, ...], first: str) -> tuple[Filters, ...]:
    """Return the modules without 5×5 convolutions from the one called `first` on."""
    return tuple(
        one._replace(convolutions=(*one.convolutions[:3], 0, 0)) if one.name >= first else one for one in modules
    )


def _shrink(modules: tuple[Filters, ...], names: tuple[str, ...], divisor: int) -> tuple[Filters, ...]:
    """Return the modules with these names, with 1/divisor of their filters."""
    kept = (one for one in modules if one.name in names)
    return tuple(
        one._replace(
            convolutions=tuple(filters // divisor for filters in one.convolutions),
            projection=one.projection // divisor,
        )
        for one in kept
    )


class NN2(InceptionNet):
    """Schroff et al. 2015, "FaceNet", Table 2, at 224x224."""

    title = "NN2 (Inception)"
    paper = f"{PAPER}, Table 2"
    published: ClassVar[PublishedSize] = PublishedSize((224, 224), 7.5e6, 1.6e9)

    def __init__(self, *, dimension: int = 128, size: str = "224x224") -> None:
        super().__init__(dimension, size, STEM, TABLE_2)


class NN3(InceptionNet):
    """NN2 at 160x160 (§3.3)."""

    title = "NN3 (Inception)"
    paper = f"{PAPER}, §3.3"
    published: ClassVar[PublishedSize] = PublishedSize(
        (160, 160), 7.5e6, None, "the paper states no multiply-adds; its layers are NN2's"
    )

    def __init__(self, *, dimension: int = 128, size: str = "160x160") -> None:
        super().__init__(dimension, size, STEM, TABLE_2)


class NN4(InceptionNet):
    """NN2 at 96x96 without 5×5 convolutions "in the higher layers" (§3.3).

    The paper does not name these layers. Without those of 4e, 5a and 5b the network has the published counts:
    285 M multiply-adds and the lower end of "6.6M-7.5M" parameters. (Public implementations keep that of 4e, which
    makes 7.0 M parameters and 289 M multiply-adds.)
    """

    title = "NN4 (Inception)"
    paper = f"{PAPER}, §3.3"
    published: ClassVar[PublishedSize] = PublishedSize(
        (96, 96), 6.6e6, 285e6, "the parameters are the lower end of the range for all Inception networks"
    )

    def __init__(self, *, dimension: int = 128, size: str = "96x96") -> None:
        super().__init__(dimension, size, STEM, _without_fives(TABLE_2, "4e"))


_OWN_DESIGN = "the paper states the counts, but not the layers: these are a design of our own with such counts"


class NNS1(InceptionNet):
    """A "mini Inception" at 165x165 with the counts of §3.3. The paper has no table of it, so the layers are our own.

    NN2 with half the filters and without 4b, 4c and 4d. So many parameters for so few multiply-adds are possible in
    fully connected layers only: a hidden layer sees all positions of 5b.
    """

    title = "NNS1 (mini Inception)"
    paper = f"{PAPER}, §3.3 (counts only)"
    published: ClassVar[PublishedSize] = PublishedSize((165, 165), 26e6, 220e6, _OWN_DESIGN)

    def __init__(self, *, dimension: int = 128, size: str = "165x165") -> None:
        super().__init__(
            dimension, size, (32, 32, 96), _shrink(TABLE_2, ("3a", "3b", "3c", "4a", "4e", "5a", "5b"), 2), hidden=1328
        )


class NNS2(InceptionNet):
    """A "tiny Inception" at 116x140 with the counts of §3.3. The paper has no table of it, so the layers are our own.

    NN2's 3a, 3c, 4a, 4e and 5a with a quarter of the filters, without 5×5 convolutions, and with 8, 8 and 32 filters
    before them. A hidden layer sees all positions of 5a.
    """

    title = "NNS2 (tiny Inception)"
    paper = f"{PAPER}, §3.3 (counts only)"
    published: ClassVar[PublishedSize] = PublishedSize((116, 140), 4.3e6, 20e6, _OWN_DESIGN)

    def __init__(self, *, dimension: int = 128, size: str = "116x140") -> None:
        modules = _without_fives(_shrink(TABLE_2, ("3a", "3c", "4a", "4e", "5a"), 4), "3a")
        super().__init__(dimension, size, (8, 8, 32), modules, hidden=896)
