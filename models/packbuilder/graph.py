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
        """Add PReLU with slopes of at most 1. Raises ValueError for others."""
        out, signs = self.signed_prelu(x, slope)
        if (signs < 0).any():
            raise ValueError(f"PReLU with a slope of {slope.max()}, above 1")
        return out

    def signed_prelu(self, x: str, slope: np.ndarray) -> tuple[str, np.ndarray]:
        """Add PReLU up to the sign of each channel; return the output and the signs, 1 or −1.

        A slope a gives a·x + relu((1 − a)·x). Above 1 this needs the negative,
        −a·x + relu((a − 1)·x). Whatever follows must multiply its weights for a channel by the
        channel's sign: a convolution those of that input channel, a depthwise one that filter.
        """
        slope = slope.astype(np.float32)
        sign = np.where(slope > 1, np.float32(-1), np.float32(1))
        return self.linear_plus_relu(x, sign * slope, sign * (np.float32(1) - slope)), sign.reshape(-1)

    def linear_plus_relu(self, x: str, a: np.ndarray, b: np.ndarray) -> str:
        """Add a·x + relu(b·x).

        ONNX Runtime fuses it into two passes over x on x86. PRelu and other forms take more passes.
        """
        linear = self.node("Mul", x, self.constant(a.astype(np.float32)))
        rectified = self.node("Relu", self.node("Mul", x, self.constant(b.astype(np.float32))))
        return self.node("Add", linear, rectified)

    def serialise(self, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> bytes:
        def values(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

        graph = helper.make_graph(self.nodes, self.name, values(inputs), values(outputs), self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceclust"
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
