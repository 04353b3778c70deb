"""The optimiser of a training run and the course of its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from faceclust.training.backbones.base import Backbone
from faceclust.training.heads.base import Head

#: SGD with Nesterov momentum (Sutskever et al. 2013); momentum and weight decay as in ArcFace (Deng et al. 2019), §3.1.
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
#: The share of the run in which the learning rate rises linearly to its peak.
WARM_UP = 0.05


def build_optimiser(backbone: Backbone, head: Head, learning_rate: float) -> torch.optim.SGD:
    """Return the optimiser of a network and a head.

    Biases, the parameters of normalisation layers and PReLU slopes (everything with one dimension) and
    `head.undecayed_parameters()` have no weight decay.
    """
    undecayed_in_head = {id(one) for one in head.undecayed_parameters()}
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in (*backbone.parameters(), *head.parameters()):
        groups[parameter.ndim > 1 and id(parameter) not in undecayed_in_head].append(parameter)
    return torch.optim.SGD(
        [
            {"params": parameters, "weight_decay": WEIGHT_DECAY if decayed else 0.0}
            for decayed, parameters in groups.items()
            if parameters
        ],
        lr=learning_rate,
        momentum=MOMENTUM,
        nesterov=True,
    )


def scheduled_rate(peak: float, done: float) -> float:
    """Return the learning rate at a point of the run, `done` from 0 to 1: a linear rise to the peak, then half a
    period of a cosine down to 0 (Loshchilov and Hutter 2017, without restarts)."""
    if done < WARM_UP:
        return peak * done / WARM_UP
    return peak * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
