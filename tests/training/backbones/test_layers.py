"""Layers against slow twins in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceclust.training.backbones.layers import (
    BatchNorm,
    GlobalAverage,
    L2Pool,
    Maxout,
    convolution,
    halve_size,
    parse_size,
)
from faceclust.training.backbones.mobilefacenet import GlobalDepthwise


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (5, 4), (7, 7)])
def test_l2_pooling_is_the_norm_of_each_window(stride: int, rows: int, columns: int) -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, rows, columns))
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.array(
        [
            [np.sqrt((padded[:, :, i : i + 3, j : j + 3] ** 2).sum((2, 3))) for j in range(0, columns, stride)]
            for i in range(0, rows, stride)
        ]
    ).transpose(2, 3, 0, 1)
    pooled = L2Pool(stride)(torch.tensor(maps, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


def test_l2_pooling_has_finite_gradients_at_zero() -> None:
    maps = torch.zeros(1, 1, 4, 4, requires_grad=True)
    L2Pool(1)(maps).sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad, torch.zeros(1, 1, 4, 4))


def test_l2_pooling_of_float16_does_not_overflow() -> None:
    pooled = L2Pool(1)(torch.full((1, 1, 3, 3), 1000.0, dtype=torch.float16))
    assert pooled.dtype == torch.float16
    assert pooled[0, 0, 1, 1] == 3000  # the sum of squares, 9e6, is beyond float16


def test_maxout_takes_the_larger_one_of_two_values() -> None:
    torch.manual_seed(0)
    layer, values = Maxout(5, 3), torch.randn(4, 5)
    weights, biases = layer.linear.weight.detach().numpy(), layer.linear.bias.detach().numpy()
    both = values.numpy() @ weights.T + biases
    np.testing.assert_allclose(layer(values).detach().numpy(), np.maximum(both[:, :3], both[:, 3:]), rtol=1e-5)


def test_maxout_keeps_the_mean_square() -> None:
    torch.manual_seed(0)
    values = torch.randn(200, 400)
    assert Maxout(400, 300)(values).square().mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("rows", "columns"), [(7, 7), (7, 6), (2, 2)])
def test_global_depthwise_convolution_is_a_weighted_sum_of_each_map(rows: int, columns: int) -> None:
    torch.manual_seed(0)
    layer, maps = GlobalDepthwise(4, rows, columns), torch.randn(3, 4, rows, columns)
    weights = layer.convolution.weight.detach().numpy()  # (channels, 1, rows, columns)
    expected = np.zeros((3, 4))
    for image in range(3):
        for channel in range(4):
            expected[image, channel] = (weights[channel, 0] * maps[image, channel].numpy()).sum()
    np.testing.assert_allclose(layer(maps).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_global_average_is_global_depthwise_convolution_with_equal_weights() -> None:
    maps, layer = torch.randn(2, 4, 7, 6), GlobalDepthwise(4, 7, 6)
    torch.nn.init.constant_(layer.convolution.weight, 1 / 42)
    torch.testing.assert_close(GlobalAverage()(maps), layer(maps))


def test_batch_norm_takes_a_single_value_per_channel() -> None:
    norm = BatchNorm(2)
    norm.running_mean, norm.running_var = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    for shape in ((1, 2), (1, 2, 1, 1)):
        normalised = norm.train()(torch.tensor([3.0, 5.0]).reshape(shape))
        torch.testing.assert_close(normalised.flatten(), torch.tensor([1.0, 5.0]), atol=1e-4, rtol=0)
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())


@pytest.mark.parametrize("shape", [(6, 2), (1, 2, 3, 3), (2, 2, 1, 1)])
def test_batch_norm_is_torchs_otherwise(shape: tuple[int, ...]) -> None:
    ours, values = BatchNorm(2), torch.randn(shape)
    torchs = torch.nn.BatchNorm1d(2) if len(shape) == 2 else torch.nn.BatchNorm2d(2)
    for mode in (True, False):
        assert torch.equal(ours.train(mode)(values), torchs.train(mode)(values))
    for buffer in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(ours.get_buffer(buffer), torchs.get_buffer(buffer))


def test_batch_norm_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="expected"):
        BatchNorm(2)(torch.zeros(3, 2, 4))


@pytest.mark.parametrize(("groups", "fan_out"), [(1, 64 * 9), (64, 9)])
def test_convolutions_start_with_he_variance(groups: int, fan_out: int) -> None:
    torch.manual_seed(0)
    weights = torch.cat([convolution(64, 64, 3, groups=groups).weight.flatten() for _ in range(20)])
    assert weights.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)


@pytest.mark.parametrize("side", [32, 33, 47, 112, 165, 220])
def test_strides_round_up(side: int) -> None:
    maps = torch.zeros(1, 1, side, side)
    for kernel in (3, 5, 7, 1):
        assert convolution(1, 1, kernel, 2)(maps).shape[2:] == halve_size((side, side), 1)
    assert L2Pool(2)(maps).shape[2:] == halve_size((side, side), 1)
    halved = side
    for _ in range(4):
        halved = math.ceil(halved / 2)
    assert halve_size((side, side), 4) == (halved, halved)


def test_sizes_are_width_and_height() -> None:
    assert parse_size("96x112") == (96, 112)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *[(text, "size must be WIDTHxHEIGHT") for text in ("", "112", "112x", "-32x32", "32x32x3", "३२x३२", "1e2x32")],
        *[(text, "size must be 32 to 512 pixels") for text in ("31x64", "64x31", "513x64", "9999x9999", "0x0")],
    ],
)
def test_invalid_sizes_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_size(text)
