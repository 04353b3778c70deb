"""A few lines over onnx.helper: build a graph node by node, the same bytes each time."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class Graph:
    """Collects nodes and constants; every name is a running number, so builds repeat."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.array(value, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, *inputs: str, out: str | None = None, **attributes: object) -> str:
        out = out or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"node_{len(self.nodes)}", **attributes))
        return out

    def conv(
        self,
        x: str,
        weights: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int = 1,
        pad: int = 0,
        out: str | None = None,
    ) -> str:
        """Convolution with weights of shape (filters, channels, height, width)."""
        return self.node(
            "Conv",
            x,
            self.constant(weights.astype(np.float32)),
            self.constant(bias.astype(np.float32)),
            out=out,
            kernel_shape=weights.shape[2:],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def prelu(self, x: str, slope: np.ndarray) -> str:
        """PReLU as a·x + (1 − a)·relu(x), which ONNX Runtime runs faster than its PRelu."""
        slope = slope.astype(np.float32)
        straight = self.node("Mul", x, self.constant(slope))
        bent = self.node("Mul", self.node("Relu", x), self.constant(np.float32(1) - slope))
        return self.node("Add", straight, bent)

    def serialise(self, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> bytes:
        def values(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

        graph = helper.make_graph(self.nodes, self.name, values(inputs), values(outputs), self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceclust"
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
