"""Checks that every training head passes: a slow twin, saved state, autocast, a batch of one and evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceclust.training.heads.base import Head
from faceclust.training.options import Setting
from faceclust.training.parts import build_head

Array = NDArray[np.float64]
#: Parameters, or quantities that the loss does not differentiate, by name.
Arrays = Mapping[str, Any]
SEED, FACES, DIMENSION, CLASSES = 5, 15, 6, 5


@dataclass(frozen=True)
class HeadCase:
    """A head with settings, and its slow twin.

    `slow_loss(features, labels, parameters, frozen)` is the mean loss, by loops over samples and classes.
    `freeze(features, labels, parameters, state)` returns the quantities that the paper does not differentiate, after
    the update of the step; `state` are the buffers before it. It draws random numbers with torch in the order of the
    head: the same seed is set before both. `start` overrides parameters and buffers. `norms` is the range of the
    features' norms. `changing` names the buffers that every training step changes. `smallest` is the least batch.
    """

    name: str
    slow_loss: Callable[[Array, NDArray[np.int64], Arrays, Arrays], float]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    freeze: Callable[[Array, NDArray[np.int64], Arrays, Arrays], Arrays] = lambda *_: {}
    start: Mapping[str, Any] = field(default_factory=dict)
    norms: tuple[float, float] = (2.0, 60.0)
    changing: tuple[str, ...] = ()
    smallest: int = 1

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.settings.items())])

    def build(self, seed: int = SEED) -> Head:
        torch.manual_seed(seed)
        return build_head(self.name, DIMENSION, CLASSES, self.settings)

    def draw_batch(self, seed: int = SEED, faces: int = FACES) -> tuple[Tensor, Tensor]:
        """Return features float64 (n, d) and labels (n,)."""
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(faces, DIMENSION))
        features *= rng.uniform(*self.norms, (faces, 1)) / np.linalg.norm(features, axis=1, keepdims=True)
        return torch.from_numpy(features), torch.from_numpy(rng.integers(0, CLASSES, faces))


def check_slow_twin(case: HeadCase) -> None:
    """Compare the loss and all gradients with the slow twin's and its central differences."""
    head = case.build().double()
    with torch.no_grad():
        for name, tensor in {**dict(head.named_parameters()), **dict(head.named_buffers())}.items():
            if name in case.start:
                tensor.copy_(torch.as_tensor(case.start[name]))
            elif isinstance(tensor, nn.Parameter):
                tensor.normal_()
    features, labels = case.draw_batch()
    parameters = {name: tensor.detach().numpy().copy() for name, tensor in head.named_parameters()}
    state = {name: tensor.numpy().copy() for name, tensor in head.named_buffers()}
    features.requires_grad_()
    torch.manual_seed(SEED)
    loss = head(features, labels)
    loss.backward()

    values, people = features.detach().numpy().copy(), labels.numpy()
    torch.manual_seed(SEED)
    frozen = case.freeze(values, people, parameters, state)

    def slow_loss() -> float:
        return case.slow_loss(values, people, parameters, frozen)

    np.testing.assert_allclose(loss.item(), slow_loss(), rtol=1e-9, atol=1e-9)
    pairs = [(features, values), *((tensor, parameters[name]) for name, tensor in head.named_parameters())]
    for tensor, array in pairs:
        gradient = np.zeros_like(array) if tensor.grad is None else tensor.grad.numpy()
        np.testing.assert_allclose(gradient, central_differences(slow_loss, array), rtol=1e-7, atol=1e-7)
    assert np.abs(features.grad.numpy()).max() > 1e-4  # a loss without gradients would agree, too


def check_saved_state(case: HeadCase) -> None:
    """A head restored from a state continues bit for bit, and its buffers hold everything that steps change."""
    head = case.build()
    _train(case, head, steps=range(3))
    restored = case.build(seed=SEED + 1)
    restored.load_state_dict(head.state_dict())
    assert _train(case, restored, steps=range(3, 6)) == _train(case, head, steps=range(3, 6))
    _assert_equal_states(restored.state_dict(), head.state_dict())
    fresh = case.build()
    for name in case.changing:
        assert not torch.equal(fresh.state_dict()[name], head.state_dict()[name]), f"{name} never changed"


def check_evaluation(case: HeadCase) -> None:
    """Evaluation mode changes no state, and the label and embedding have their shapes."""
    head = case.build()
    _train(case, head, steps=range(2))
    before = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    head.eval()
    features, labels = (part.float() if part.is_floating_point() else part for part in case.draw_batch())
    assert torch.isfinite(head(features, labels))
    predicted = head.predict(features)
    assert head.embed(features).shape == features.shape
    assert predicted is None or (predicted.shape == labels.shape and predicted.dtype == torch.int64)
    _assert_equal_states(head.state_dict(), before)


def check_autocast(case: HeadCase) -> None:
    """The loss is that of float32 and all gradients are finite, also for zero, equal and opposite features."""
    for dtype in (torch.float16, torch.bfloat16):
        head, (inputs, labels) = case.build(), case.draw_batch()
        inputs, layer = inputs.float(), nn.Linear(DIMENSION, DIMENSION)
        with torch.no_grad():
            layer.bias.zero_()
            inputs[3] = 0
            inputs[5], inputs[6] = inputs[4], -inputs[4]
        with torch.autocast("cpu", dtype=dtype):
            features = layer(inputs)
        assert features.dtype == dtype and not features[3].any()
        _move_centres(head, features.detach().float(), labels)
        losses = []
        for batch, enabled in ((features.detach().float(), False), (features, True)):
            copy = case.build()
            copy.load_state_dict(head.state_dict())
            torch.manual_seed(SEED)
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                losses.append(copy(batch, labels))
        torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=0)  # also compares dtypes
        losses[1].backward()
        gradients = [parameter.grad for parameter in (*layer.parameters(), *copy.parameters())]
        assert torch.isfinite(losses[1]) and gradients[0] is not None
        assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def check_batch_of_one(case: HeadCase) -> None:
    """The smallest batch has a finite loss and finite gradients, and leaves a finite state."""
    head = case.build()
    features, labels = case.draw_batch(faces=case.smallest)
    features = features.float().requires_grad_()
    loss = head(features, labels)
    loss.backward()
    assert torch.isfinite(loss) and features.grad is not None and torch.isfinite(features.grad).all()
    assert all(torch.isfinite(tensor).all() for tensor in head.state_dict().values())


def check_aligned_features(case: HeadCase) -> None:
    """Features along or opposite to their centres have finite losses, gradients and state: rounding makes some of
    their cosines larger than 1."""
    head = case.build()
    for seed in range(20):
        features, labels = case.draw_batch(seed)
        features = features.float()
        _move_centres(head, features, labels)
        features.requires_grad_()
        loss = head(features, labels)
        head.zero_grad()
        loss.backward()
        gradients = [features.grad, *(parameter.grad for parameter in head.parameters())]
        assert torch.isfinite(loss) and all(torch.isfinite(one).all() for one in gradients if one is not None)
        assert all(torch.isfinite(tensor).all() for tensor in head.state_dict().values())


CHECKS = (
    *(check_slow_twin, check_saved_state, check_evaluation, check_autocast, check_batch_of_one),
    check_aligned_features,
)


def central_differences(function: Callable[[], float], array: Array, step: float = 1e-5) -> Array:
    """Return the gradient of a function of the array, which is changed in place and restored. Fourth order."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept, values = array[index], {}
        for k in (-2, -1, 1, 2):
            array[index] = kept + k * step
            values[k] = function()
        array[index] = kept
        gradient[index] = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * step)
    return gradient


def slow_cosine(a: Array, b: Array) -> float:
    """Return the cosine of two vectors."""
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def slow_cosines(feature: Array, centres: Array) -> list[float]:
    """Return the cosine of a feature with each centre (classes, d)."""
    return [slow_cosine(feature, centre) for centre in centres]


def slow_cross_entropy(logits: list[float], label: int) -> float:
    """Return −log of the label's softmax."""
    top = max(logits)
    return math.log(sum(math.exp(logit - top) for logit in logits)) + top - logits[label]


def slow_arc(theta: float, margin: float) -> float:
    """Return ArcFace's target logit of an angle."""
    return math.cos(theta + margin) if theta + margin <= math.pi else math.cos(theta) - margin * math.sin(margin)


def slow_softmax(
    features: Array, labels: NDArray[np.int64], centres: Array, scale: float, target: Callable[[int, float], float]
) -> float:
    """Return the mean loss of a margin softmax: `target(sample, θ)` is the target's logit before the scale."""
    losses = []
    for i, label in enumerate(labels):
        cosines = slow_cosines(features[i], centres)
        logits = [scale * cosine for cosine in cosines]
        logits[label] = scale * target(i, math.acos(cosines[label]))
        losses.append(slow_cross_entropy(logits, label))
    return float(np.mean(losses))


def _train(case: HeadCase, head: Head, steps: range) -> list[float]:
    """Take steps of gradient descent under deterministic algorithms. Returns the losses."""
    head.train()
    losses = []
    torch.set_deterministic_debug_mode("error")  # much quicker than use_deterministic_algorithms
    try:
        for step in steps:
            features, labels = case.draw_batch(seed=step)
            torch.manual_seed(step)
            head.zero_grad()
            loss = head(features.float().requires_grad_(), labels)
            loss.backward()
            _descend(head)
            losses.append(loss.item())
    finally:
        torch.set_deterministic_debug_mode("default")
    return losses


@torch.no_grad()
def _descend(head: Head) -> None:
    for parameter in head.parameters():
        if parameter.grad is not None:
            parameter -= 0.1 * parameter.grad


def _assert_equal_states(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), f"{name} differs"


@torch.no_grad()
def _move_centres(head: Head, features: Tensor, labels: Tensor) -> None:
    """Place class centres on the first feature, and opposite to the second."""
    centres = getattr(head, "centres", None)
    if centres is not None:
        rows = centres.view(CLASSES, -1, DIMENSION)  # some heads have several centres per class
        rows[labels[0]] = features[0]
        rows[labels[1]] = -features[1] if labels[1] != labels[0] else features[0]
