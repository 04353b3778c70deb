"""Networks without memory, and the shapes in them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceclust.training.backbones.base import Backbone
from faceclust.training.parts import build_backbone


def build_on_meta(name: str) -> Backbone:
    """Return a backbone with its default settings that has shapes, but no memory."""
    with torch.device("meta"):
        return build_backbone(name, {})


def list_outputs(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """Return the shape of each module's output for one chip, by the module's name."""
    shapes: dict[str, tuple[int, ...]] = {}
    names = {module: name for name, module in backbone.named_modules()}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shapes[names[module]] = tuple(output.shape[1:])

    hooks = [module.register_forward_hook(note) for module in names]
    width, height = backbone.input_size
    backbone.eval()(torch.zeros(1, 3, height, width, device="meta"))
    for hook in hooks:
        hook.remove()
    return shapes
