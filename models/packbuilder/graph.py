"""Build ONNX graphs node by node, reproducibly: the same calls give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class Graph:
    """Collects nodes and constants. Names are running numbers, which makes builds reproducible."""

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
        pads: Sequence[int] = (0, 0, 0, 0),
        groups: int = 1,
        out: str | None = None,
    ) -> str:
        """Add a convolution with weights of shape (filters, channels per group, height, width).

        `pads`: rows and columns of zeros at the top, left, bottom and right.
        """
        return self.node(
            "Conv",
            x,
            self.constant(weights.astype(np.float32)),
            self.constant(bias.astype(np.float32)),
            out=out,
            kernel_shape=weights.shape[2:],
            strides=[stride, stride],
            pads=list(pads),
            **({"group": groups} if groups > 1 else {}),
        )

    def prelu(self, x: str, slope: np.ndarray) -> str:
        """Add PReLU as a·x + (1 − a)·relu(x), which is faster in ONNX Runtime than its PRelu."""
        slope = slope.astype(np.float32)
        linear = self.node("Mul", x, self.constant(slope))
        rectified = self.node("Mul", self.node("Relu", x), self.constant(np.float32(1) - slope))
        return self.node("Add", linear, rectified)

    def signed_prelu(self, x: str, slope: np.ndarray) -> tuple[str, np.ndarray]:
        """Add PReLU as A·x + relu(B·x), which ONNX Runtime fuses into two passes over x (on x86).

        Return the result and the sign of each channel, 1 or −1. The form needs B ≥ 0: a slope a
        gives A = a and B = 1 − a, but above 1 it gives A = −a and B = a − 1, the negative of PReLU.
        Whatever follows must multiply its weights for a channel by the channel's sign: the next
        convolution those of that input channel, a depthwise one that filter.
        """
        slope = slope.astype(np.float32)
        sign = np.where(slope > 1, np.float32(-1), np.float32(1))
        linear = self.node("Mul", x, self.constant(sign * slope))
        rectified = self.node("Relu", self.node("Mul", x, self.constant(sign * (np.float32(1) - slope))))
        return self.node("Add", linear, rectified), sign.reshape(-1)

    def serialise(self, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> bytes:
        def values(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

        graph = helper.make_graph(self.nodes, self.name, values(inputs), values(outputs), self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceclust"
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
