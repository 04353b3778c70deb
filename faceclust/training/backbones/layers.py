"""Layers and checks that several backbones share.

All of them work on CUDA with torch.use_deterministic_algorithms(True). That excludes adaptive pooling and local
response normalisation, whose gradients torch adds up in random order.
"""

from __future__ import annotations

import re

import torch.nn.functional as F
from torch import Tensor, nn

#: Chips of any backbone are at most this wide and high, px.
LARGEST_SIZE = 512


def parse_size(text: str, smallest: int = 32) -> tuple[int, int]:
    """Return (width, height) in px of a chip's size "WxH".

    Raises ValueError if the text is malformed or a side is below `smallest` or above LARGEST_SIZE.
    """
    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    if not match:
        raise ValueError(f"size must be WIDTHxHEIGHT in pixels, such as 112x112, not {text!r}")
    width, height = int(match[1]), int(match[2])
    if not (smallest <= width <= LARGEST_SIZE and smallest <= height <= LARGEST_SIZE):
        raise ValueError(f"size must be {smallest} to {LARGEST_SIZE} pixels wide and high, not {text}")
    return width, height


def halve_size(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Return (width, height) after `times` layers of stride 2, each of which rounds up."""
    width, height = (-(-side // 2**times) for side in size)
    return width, height


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of (n, c) or (n, c, h, w).

    A batch with a single value per channel (one image, 1×1 maps) has no variance to train with. It is normalised by
    the running statistics, and leaves them as they are.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected (n, c) or (n, c, h, w), not {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class L2Pool(nn.Module):
    """L2 pooling of FaceNet's Table 2: the L2 norm, instead of the maximum, of each 3×3 window. Edges are padded by 0.

    Computed in float32 even under autocast, because squares overflow float16.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        squares = maps.float().square()
        sums = 9 * F.avg_pool2d(squares, 3, self.stride, padding=1)  # padding counts as 0: 9 means make a sum
        return (sums + 1e-12).sqrt().to(maps.dtype)  # the root's gradient is infinite at 0


class Maxout(nn.Module):
    """A fully connected layer with two values for each output, of which the larger one is taken (Goodfellow et al.
    2013, "Maxout networks"; p = 2 in FaceNet's Table 1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * outputs)
        # the larger one of two unit normal values has a mean square of 1, so that this scale is kept
        nn.init.normal_(self.linear.weight, std=inputs**-0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Return (n, outputs) of values (n, inputs)."""
        first, second = self.linear(values).chunk(2, dim=1)
        larger: Tensor = first.maximum(second)
        return larger


class GlobalAverage(nn.Module):
    """The mean of each map: (n, c, h, w) → (n, c)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution without bias, whose output is ⌈size / stride⌉ large.

    The weights are normal with a variance of 2 / (outputs per group × kernel²) (He et al. 2015, "Delving deep into
    rectifiers", eq. 14).
    """
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(layer.weight, std=(2 / (outputs // groups * kernel**2)) ** 0.5)
    return layer


def normalised_convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, activation: nn.Module | None = None
) -> nn.Sequential:
    """Return a convolution, batch normalisation, and the activation unless it is None."""
    layers = [convolution(inputs, outputs, kernel, stride, groups), BatchNorm(outputs)]
    return nn.Sequential(*layers, *([activation] if activation else []))
