"""Convert a MobileFaceNet (Chen et al. 2018, "MobileFaceNets: Efficient CNNs for Accurate Real-time Face
Verification on Mobile Devices") from TensorFlow.js to ONNX.

Input `input`: float32 (n, 3, 112, 112) RGB, (x − 127.5)/128. Output `embedding`: float32 (n, 64), not
normalised: the original's 192 numbers, projected onto 64 axes (`keep_dimensions`). The weights are those of
sirius-ai/MobileFaceNet_TF; the TensorFlow.js graph around them has two faults, without which its embeddings
of different faces would not be nearly equal:

- 16 depthwise convolutions are fused with a ReLU, although a PReLU follows that needs their sign.
- PReLU is relu(x) + c·(x − |x|). The stored c is −½ times the slope instead of ½ times.

Both are undone here.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

from packbuilder.graph import Graph
from packbuilder.sources import PackBuildError

_INPUT, _SIDE = "img_inputs", 112
_DIMENSION = 64
_CONVOLUTIONS = ("_FusedConv2D", "FusedDepthwiseConv2dNative")


def convert(description: bytes, weights: bytes) -> bytes:
    """Convert the graph `description` (JSON) with its `weights` (float32 and int32, one after the other)
    to an ONNX file. Raises PackBuildError if the graph is not the expected network."""
    model = json.loads(description)
    return _Converter(model["modelTopology"]["node"], _read_weights(model, weights)).convert()


def _read_weights(model: dict[str, Any], data: bytes) -> dict[str, np.ndarray]:
    weights, position = {}, 0
    for group in model["weightsManifest"]:
        for entry in group["weights"]:
            count, dtype = math.prod(entry["shape"]), {"float32": "<f4", "int32": "<i4"}[entry["dtype"]]
            weights[entry["name"]] = np.frombuffer(data, dtype, count, position).reshape(entry["shape"])
            position += 4 * count
    if position != len(data):
        raise PackBuildError(f"the weights of MobileFaceNet have {len(data)} bytes, expected {position}")
    return weights


class _Converter:
    """Adds the nodes of the TensorFlow.js graph to an ONNX graph, in their order.

    `tensors` maps their names to ONNX tensors, `sides` to the height and width, and `signs` to the sign
    of each channel: `Graph.signed_prelu` negates some of them.
    """

    def __init__(self, nodes: list[dict[str, Any]], weights: dict[str, np.ndarray]) -> None:
        self._nodes, self._weights = {node["name"]: node for node in nodes}, weights
        self._graph = Graph("mobilefacenet")
        self._tensors, self._sides = {_INPUT: "input"}, {_INPUT: _SIDE}
        self._signs: dict[str, np.ndarray] = {}

    def convert(self) -> bytes:
        *_, last = (name for name, node in self._nodes.items() if node["op"] in _CONVOLUTIONS)
        for name, node in self._nodes.items():
            if node["op"] in _CONVOLUTIONS:
                self._add_convolution(name, node, _DIMENSION if name == last else None)
            elif node["op"] == "Add":
                self._add_prelu_or_sum(name, *node["input"])
            elif node["op"] == "Squeeze":  # the normalisation to unit length follows, which is left out
                break
        # The pack's manifest says how many numbers are expected; a wrong graph fails its SHA-256.
        self._graph.node("Flatten", self._tensors[last], axis=1, out="embedding")
        return self._graph.serialise({"input": ["n", 3, _SIDE, _SIDE]}, {"embedding": ["n", _DIMENSION]})

    def _add_convolution(self, name: str, node: dict[str, Any], dimension: int | None) -> None:
        source, filters_name, bias_name = node["input"]
        is_depthwise = node["op"] == "FusedDepthwiseConv2dNative"
        # (height, width, in, out), or (height, width, channels, 1) → (out, in per group, height, width)
        filters = self._weights[filters_name].transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1))
        if source in self._signs:
            signs = self._signs[source]
            filters = filters * signs.reshape((-1, 1, 1, 1) if is_depthwise else (1, -1, 1, 1))
        bias = self._weights[bias_name]
        if dimension:
            filters, bias = keep_dimensions(filters, bias, dimension)
        stride, side, kernel = int(node["attr"]["strides"]["list"]["i"][1]), self._sides[source], filters.shape[2]
        if base64.b64decode(node["attr"]["padding"]["s"]) == b"SAME":
            after = -(-side // stride)
            padding = max((after - 1) * stride + kernel - side, 0)
        else:
            after, padding = (side - kernel) // stride + 1, 0
        begin = padding // 2  # TensorFlow pads an odd number at the bottom and on the right
        self._tensors[name] = self._graph.conv(
            self._tensors[source],
            filters,
            bias,
            stride=stride,
            pads=[begin, begin, padding - begin, padding - begin],
            groups=len(filters) if is_depthwise else 1,
        )
        self._sides[name] = after

    def _add_prelu_or_sum(self, name: str, first: str, second: str) -> None:
        product = self._nodes[second]
        if product["op"] != "Mul":
            self._tensors[name] = self._graph.node("Add", self._tensors[first], self._tensors[second])
            self._sides[name] = self._sides[first]
            return
        difference, coefficients = product["input"]
        source = self._nodes[difference]["input"][0]
        slopes = -2 * self._weights[coefficients].reshape(-1, 1, 1)
        self._tensors[name], signs = self._graph.signed_prelu(self._tensors[source], slopes)
        self._signs[name], self._sides[name] = signs, self._sides[source]


def keep_dimensions(filters: np.ndarray, bias: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Project the outputs of a layer with filters (n, channels, 1, 1) onto `dimension` orthonormal axes.

    Training left the 192 outputs of MobileFaceNet's last layer with about 60 dimensions. On LFW, 7
    millionths of the squared length of embeddings lie beyond 64 axes, so distances stay the same. The
    axes span the range of A, the layer's weights with its biases. Two steps of subspace iteration with A Aᵀ
    find them (Halko et al. 2011, "Finding structure with randomness", algorithm 4.4).
    """
    weights = np.concatenate([filters[:, :, 0, 0], bias[:, None]], axis=1).astype(np.float64)
    covariance = _multiply(weights, weights.T)
    axes = np.eye(dimension, len(weights))
    for _ in range(2):
        axes = _orthonormalise(_multiply(axes, covariance))
    projected = _multiply(axes, weights)
    return projected[:, :-1, None, None], projected[:, -1]


def _multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The matrix product. Unlike that of BLAS it is the same on all processors, so that builds are, too."""
    product = np.zeros((len(left), right.shape[1]))
    for column, row in zip(left.T, right, strict=True):
        product += np.multiply.outer(column, row)
    return product


def _orthonormalise(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows with the same span (modified Gram–Schmidt), with exact sums."""
    axes: list[np.ndarray] = []
    for row in rows:
        rest = row
        for axis in axes:
            rest = rest - axis * math.fsum((axis * rest).tolist())
        axes.append(rest / math.sqrt(math.fsum((rest * rest).tolist())))
    return np.array(axes)
