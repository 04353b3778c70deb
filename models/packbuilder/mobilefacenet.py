"""Convert a MobileFaceNet (Chen et al. 2018, "MobileFaceNets: Efficient CNNs for Accurate Real-time Face
Verification on Mobile Devices") from TensorFlow.js to ONNX.

Input `input`: float32 (n, 3, 112, 112) RGB, (x − 127.5)/128. Output `embedding`: float32 (n, 192), not
normalised. The weights are those of sirius-ai/MobileFaceNet_TF; the TensorFlow.js graph around them has
two faults, without which its embeddings of different faces would not be nearly equal:

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
        last = ""
        for name, node in self._nodes.items():
            if node["op"] in _CONVOLUTIONS:
                self._add_convolution(name, node)
                last = name
            elif node["op"] == "Add":
                self._add_prelu_or_sum(name, *node["input"])
            elif node["op"] == "Squeeze":  # the normalisation to unit length follows, which is left out
                break
        # The pack's manifest says how many numbers are expected; a wrong graph fails its SHA-256.
        self._graph.node("Flatten", self._tensors[last], axis=1, out="embedding")
        size = len(self._weights[self._nodes[last]["input"][2]])
        return self._graph.serialise({"input": ["n", 3, _SIDE, _SIDE]}, {"embedding": ["n", size]})

    def _add_convolution(self, name: str, node: dict[str, Any]) -> None:
        source, filters_name, bias_name = node["input"]
        is_depthwise = node["op"] == "FusedDepthwiseConv2dNative"
        # (height, width, in, out), or (height, width, channels, 1) → (out, in per group, height, width)
        filters = self._weights[filters_name].transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1))
        if source in self._signs:
            signs = self._signs[source]
            filters = filters * signs.reshape((-1, 1, 1, 1) if is_depthwise else (1, -1, 1, 1))
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
            self._weights[bias_name],
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
