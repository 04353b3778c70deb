"""Parameters and multiply-adds of a network, as papers state them.

A network built under `with torch.device("meta")` can be counted at once: it has shapes, but no memory.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone
from faceclust.training.parts import build_backbone


def count_parameters(backbone: nn.Module) -> int:
    """Return the number of all parameters, frozen ones included. Running statistics are no parameters."""
    return sum(parameter.numel() for parameter in backbone.parameters())


def count_multiply_adds(backbone: Backbone) -> int:
    """Return the multiply-adds of one image of the backbone's input size.

    Convolutions and linear layers are counted: one multiply-add for each weight and output position. Their biases,
    normalisation, activations and pooling are not.
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += output.numel() * (layer.weight.numel() // layer.weight.shape[0])

    hooks = [
        layer.register_forward_hook(count) for layer in backbone.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    was_training = backbone.training
    width, height = backbone.input_size
    try:
        with torch.no_grad():
            backbone.eval()(torch.zeros(1, 3, height, width, device=next(backbone.parameters()).device))
    finally:
        backbone.train(was_training)
        for hook in hooks:
            hook.remove()
    return total


@cache
def count_default_size(name: str) -> tuple[int, int]:
    """Return the parameters and multiply-adds of a backbone with its default settings, by its name."""
    with torch.device("meta"):
        backbone = build_backbone(name, {})
    return count_parameters(backbone), count_multiply_adds(backbone)
