"""Quantise convolutions to 8-bit integers: less than half the time, a quarter of the size.

Convolutions use unsigned 8-bit activations and signed weights with one scale per filter. The method
is that of Krishnamoorthi 2018 ("Quantizing deep convolutional networks for efficient inference",
sections 2 and 3). Sums, average pooling and the last layer stay in floating point. The activation ranges were
measured once by `calibrate.py` and are stored in a file, so that a build needs no photos.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

_MAX_WEIGHT = 127
_MAX_ACTIVATION = 255


def tensors_to_measure(model: onnx.ModelProto) -> list[str]:
    """Return the tensors whose range `quantise` needs: the input of each convolution, and its output,
    after the ReLU if there is one."""
    nodes = model.graph.node
    after_relu = {node.input[0]: node.output[0] for node in nodes if node.op_type == "Relu"}
    names: dict[str, None] = {}
    for node in nodes:
        if node.op_type == "Conv":
            names[node.input[0]] = None
            names[after_relu.get(node.output[0], node.output[0])] = None
    return list(names)


def quantise(model: bytes, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """Return the network with quantised convolutions. `ranges` has the minimum and maximum of each of
    `tensors_to_measure`. Raises KeyError if one is missing."""
    before = onnx.load_from_string(model)
    after = _ModelQuantiser(before, ranges)
    for node in before.graph.node:
        after.add_node(node)
    graph = helper.make_graph(
        after.nodes, before.graph.name, before.graph.input, before.graph.output, list(after.constants.values())
    )
    out = helper.make_model(
        graph, opset_imports=before.opset_import, ir_version=before.ir_version, producer_name=before.producer_name
    )
    onnx.checker.check_model(out, full_check=True)
    return bytes(out.SerializeToString(deterministic=True))


class _ModelQuantiser:
    """Takes the nodes of a network in order and collects those of the quantised one."""

    def __init__(self, model: onnx.ModelProto, ranges: Mapping[str, tuple[float, float]]) -> None:
        nodes = model.graph.node
        self._outputs = {node.output[0] for node in nodes if node.op_type == "Conv"}
        self._outputs |= {node.output[0] for node in nodes if node.op_type == "Relu" and node.input[0] in self._outputs}
        self._measured = set(tensors_to_measure(model))
        self._ranges = ranges
        self.nodes: list[onnx.NodeProto] = []
        self.constants = {constant.name: constant for constant in model.graph.initializer}

    def add_node(self, node: onnx.NodeProto) -> None:
        """Copy a node, and round its output if that has a measured range."""
        inputs = list(node.input)
        if node.op_type == "Conv":
            x, weights, bias = inputs
            scales = self._quantise_weights(weights)
            self._quantise_bias(bias, scales * self._quantisation_parameters(x)[0])
            inputs = [f"{name}_rounded" for name in inputs]
        else:
            # Outputs of convolutions exist only rounded; other tensors stay as they are.
            rounded = self._outputs & self._measured
            inputs = [f"{name}_rounded" if name in rounded else name for name in inputs]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.ClearField("input")
        copy.input.extend(inputs)
        self.nodes.append(copy)
        for name in node.output:
            if name in self._measured:
                scale, zero = self._quantisation_parameters(name)
                self._add_quantise_dequantise(name, np.float32(scale), np.uint8(zero))

    def _quantisation_parameters(self, name: str) -> tuple[float, int]:
        """Return scale and zero point of a tensor's 256 levels, one of which is exactly zero."""
        low, high = self._ranges[name]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / _MAX_ACTIVATION))
        return scale, round(-low / scale)

    def _add_quantise_dequantise(self, name: str, scale: np.float32, zero: np.uint8) -> None:
        grid = [self._add_constant(f"{name}_scale", scale), self._add_constant(f"{name}_zero", zero)]
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *grid], [f"{name}_steps"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_steps", *grid], [f"{name}_rounded"]))

    def _quantise_weights(self, name: str) -> np.ndarray:
        """Quantise weights with one scale per filter; return the scales."""
        weights = numpy_helper.to_array(self.constants.pop(name))
        largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
        scales = (np.maximum(largest, 1e-12) / _MAX_WEIGHT).astype(np.float32)
        steps = np.rint(weights / scales[:, None, None, None]).astype(np.int8)
        self._add_dequantise(name, steps, scales)
        return scales.astype(np.float64)

    def _quantise_bias(self, name: str, scales: np.ndarray) -> None:
        bias = numpy_helper.to_array(self.constants.pop(name)).astype(np.float64)
        self._add_dequantise(name, np.rint(bias / scales).astype(np.int32), scales.astype(np.float32))

    def _add_dequantise(self, name: str, steps: np.ndarray, scales: np.ndarray) -> None:
        zeros = np.zeros(len(scales), steps.dtype)
        inputs = [
            self._add_constant(f"{name}_{part}", value)
            for part, value in (("steps", steps), ("scale", scales), ("zero", zeros))
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_rounded"], axis=0))

    def _add_constant(self, name: str, value: np.ndarray | np.generic) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
