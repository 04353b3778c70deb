"""What every backbone does, at 32×32 px, where the large ones take a fraction of a second."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from faceclust.errors import UsageError
from faceclust.training.backbones.base import Backbone
from faceclust.training.backbones.layers import BatchNorm
from faceclust.training.backbones.mobilefacenet import MobileFaceNet
from faceclust.training.parts import BACKBONES, build_backbone, default_settings, find_backbone

#: Each kind of network. NN3 is NN2 at another size, and IR-ResNet-50 has the blocks of the other two.
NAMES = [name for name in BACKBONES if name not in {"nn3", "ir-resnet-50"}]
SLOW = {"nn1", "nn4", "ir-resnet-100"}  # a second and more for each test, or much like another network


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in NAMES]
)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each backbone, with running statistics of such chips. Tests must leave its weights as they are."""
    torch.manual_seed(0)
    built = build_backbone(request.param, {"size": "32x32", "dimension": 16})
    for layer in built.modules():
        if isinstance(layer, BatchNorm):
            layer.momentum = None  # the mean of all batches
    with torch.no_grad():
        built(make_chips(16))
    return built


def make_chips(count: int, width: int = 32, height: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, height, width) * 2 - 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_step_reaches_every_parameter(backbone: Backbone, count: int) -> None:
    copied = copy.deepcopy(backbone).train()
    features = copied(make_chips(count))
    assert features.shape == (count, 16)
    (features * torch.randn(count, 16)).sum().backward()
    for name, parameter in copied.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert count == 1 or parameter.dim() == 1 or parameter.grad.abs().sum() > 0, name


def test_evaluation_depends_on_nothing_but_the_chip(backbone: Backbone) -> None:
    chips = make_chips(5)
    backbone.eval()
    with torch.no_grad():
        features = backbone(chips)
        assert torch.equal(features, backbone(chips))
        alone = torch.cat([backbone(chip[None]) for chip in chips])
    torch.testing.assert_close(alone, features, rtol=1e-3, atol=1e-4 * features.abs().max().item())
    assert (features[0] - features[1]).abs().max() > 1e-3 * features.abs().max()


def test_autocast_gives_finite_features_and_gradients(backbone: Backbone) -> None:
    copied, chips = copy.deepcopy(backbone).train(), make_chips(2)
    with torch.autocast("cpu", torch.float16):
        features = copied(chips)
    assert features.isfinite().all()
    features.float().square().mean().backward()
    assert all(one.grad.isfinite().all() for one in copied.parameters() if one.grad is not None)


def test_the_same_seed_gives_the_same_weights() -> None:
    def build(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([one.flatten() for one in build_backbone("mobilefacenet", {"width": 0.25}).parameters()])

    assert torch.equal(build(1), build(1))
    assert not torch.equal(build(1), build(2))


@pytest.mark.parametrize("name", ["mobilefacenet", "nns2", "ir-resnet-18"])
def test_sizes_need_not_be_square(name: str) -> None:
    built = build_backbone(name, {"size": "33x47"}).eval()
    assert built.input_size == (33, 47)
    with torch.no_grad():
        assert built(make_chips(2, 33, 47)).shape == (2, built.dimension)
    with torch.no_grad(), pytest.raises(RuntimeError):
        built(make_chips(2, 96, 96))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        *[(name, {"size": "16x16"}, "size must be 32 to 512") for name in BACKBONES],
        *[(name, {"dimension": 0}, "dimension must be 1 to 4096, not 0") for name in ("mobilefacenet", "nn2")],
        ("ir-resnet-18", {"dimension": 5000}, "dimension must be 1 to 4096, not 5000"),
        *[("mobilefacenet", {"width": width}, "width must be 0.1 to 4") for width in (0.0, 5, -1.0, float("nan"))],
        ("mobilefacenet", {"pooling": "max"}, "pooling must be depthwise or average, not 'max'"),
        *[("ir-resnet-18", {"dropout": part}, "dropout must be at least 0 and below 1") for part in (1.0, -0.1)],
        ("nn4", {"width": 0.5}, "has no setting 'width'; it has: dimension, size"),
    ],
)
def test_invalid_settings_are_refused(name: str, settings: dict[str, float | str], message: str) -> None:
    with torch.device("meta"), pytest.raises(UsageError, match=message):
        build_backbone(name, settings)


@pytest.mark.parametrize("name", BACKBONES)
def test_default_size_is_the_papers(name: str) -> None:
    width, height = find_backbone(name).published.input_size
    assert default_settings(find_backbone(name))["size"] == f"{width}x{height}"


def test_training_is_deterministic() -> None:
    def train() -> torch.Tensor:
        torch.manual_seed(3)
        built = build_backbone("nns2", {"size": "32x32", "dimension": 8}).train()
        optimiser = torch.optim.SGD(built.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            (built(make_chips(4)) * torch.randn(4, 8)).sum().backward()
            optimiser.step()
        return torch.cat([one.detach().flatten() for one in built.parameters()])

    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(train(), train())
    finally:
        torch.use_deterministic_algorithms(False)


#: Operations whose gradients on CUDA torch refuses under use_deterministic_algorithms(True), among those that these
#: networks could use. The list is in that function's documentation.
NOT_DETERMINISTIC = (
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool3D",
    "FractionalMaxPool",
    "ReflectionPad",
    "Upsample",
)


def test_no_gradient_is_nondeterministic_on_cuda(backbone: Backbone) -> None:
    visited, waiting = set(), [backbone.train()(make_chips(2)).grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in visited:
            visited.add(node)
            waiting += [previous for previous, _ in node.next_functions]
    names = {node.name() for node in visited}
    assert "ConvolutionBackward0" in names
    assert not [name for name in names for bad in NOT_DETERMINISTIC if bad in name]


def export(backbone: Backbone, path: Path) -> onnxruntime.InferenceSession:
    """Return a session of the backbone exported with any number of chips."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about torch's own code
        program = torch.onnx.export(
            backbone.eval(),
            (make_chips(2),),
            dynamo=True,
            verbose=False,
            input_names=["input"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
    assert program is not None
    program.save(path)
    return onnxruntime.InferenceSession(path)


def check_export(backbone: Backbone, folder: Path) -> None:
    session = export(backbone, folder / "embedder.onnx")
    for count in (1, 5):
        chips = make_chips(count)
        with torch.no_grad():
            expected = backbone(chips).numpy()
        (features,) = session.run(["embedding"], {"input": chips.numpy()})
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow  # 3 to 12 s each, most of it in torch's exporter
def test_exported_to_onnx_it_gives_the_same_features(backbone: Backbone, tmp_path: Path) -> None:
    check_export(backbone, tmp_path)


@pytest.mark.slow
def test_average_pooling_is_exported(tmp_path: Path) -> None:
    check_export(MobileFaceNet(size="33x47", width=0.25, pooling="average"), tmp_path)
