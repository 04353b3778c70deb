"""Write small ONNX models whose outputs are known by construction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GRIDS = (8, 16, 32)


class _Graph:
    """An ONNX graph under construction; each call adds a node and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def name_output(self, value: str, name: str) -> str:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def save(
        self,
        path: Path,
        input_shape: Sequence[object],
        outputs: dict[str, Sequence[object] | None],
        element_type: int = TensorProto.FLOAT,
        more_inputs: Sequence[str] = (),
    ) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("input", element_type, input_shape)]
            + [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in more_inputs],
            [helper.make_tensor_value_info(name, element_type, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return path


def write_embedder(
    path: Path,
    size: tuple[int, int] = (112, 112),
    *,
    layout: str = "nchw",
    batch: object = "n",
    declared_size: Sequence[object] | None = None,
    channels: object = 3,
    four_axes: bool = False,
    with_norm: bool = False,
    unit: bool = False,
    half: bool = False,
    more_inputs: Sequence[str] = (),
    declares_shape: bool = True,
    frequency: float = 0.0,
    offset: float = 0.0,
    centred: bool = False,
) -> Path:
    """Write an embedder of 12 dimensions for chips of `size` (width, height).

    The embedding is the mean of each channel over each quarter of the chip: channel by channel, then
    row by row. `unit` scales it to norm 1. `declared_size` is (height, width) in the file's input shape.
    Three faults: `frequency` takes the sine of that many times the means, `offset` is added to them,
    and `centred` subtracts the mean over the batch.
    """
    width, height = size
    graph = _Graph()
    value = graph("Transpose", "input", perm=[0, 3, 1, 2]) if layout == "nhwc" else "input"
    kernel = [height // 2, width // 2]
    value = graph("Flatten", graph("AveragePool", value, kernel_shape=kernel, strides=kernel))
    if frequency:
        value = graph("Sin", graph("Mul", value, graph.constant(frequency)))
    if offset:
        value = graph("Add", value, graph.constant(offset))
    if centred:
        value = graph("Sub", value, graph("ReduceMean", value, axes=[0], keepdims=1))
    outputs: dict[str, Sequence[object] | None] = {"embedding": [batch, 12, 1, 1] if four_axes else [batch, 12]}
    if with_norm:
        graph.name_output(graph("ReduceL2", value, axes=[1], keepdims=1), "norm")
        outputs = {"norm": [batch, 1], **outputs}
    if unit:
        value = graph("LpNormalization", value, axis=1, p=2)
    if four_axes:
        value = graph("Unsqueeze", value, graph.constant([2, 3], np.int64))
    graph.name_output(value, "embedding")
    sides = declared_size or (height, width)
    input_shape = [batch, channels, *sides] if layout == "nchw" else [batch, *sides, channels]
    element_type = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    declared = outputs if declares_shape else dict.fromkeys(outputs)
    return graph.save(path, input_shape, declared, element_type, more_inputs)


def _repeat_for_anchors(graph: _Graph, zero: str, values: Sequence[float], anchors: int = 2) -> str:
    """Repeat the values for each anchor of each cell of the zero map (1, 1, h, w); shape (n, k)."""
    wide = graph("Concat", *[zero] * (anchors * len(values)), axis=1)
    repeated = graph("Add", wide, graph.constant(np.tile(values, anchors).reshape(1, -1, 1, 1)))
    return _flatten_anchors(graph, repeated, len(values))


def _flatten_anchors(graph: _Graph, value: str, numbers: int) -> str:
    """Reshape (1, anchors·k, h, w) to (n, k): cells row by row, with the anchors of a cell together."""
    return graph("Reshape", graph("Transpose", value, perm=[0, 2, 3, 1]), graph.constant([-1, numbers], np.int64))


def _average_cells(graph: _Graph, grid: int, channel: int) -> str:
    """Average a channel over each cell; shape (1, 1, h, w)."""
    pooled = graph("AveragePool", "input", kernel_shape=[grid, grid], strides=[grid, grid])
    return graph("Gather", pooled, graph.constant([channel], np.int64), axis=1)


def write_scrfd(
    path: Path, box: Sequence[float], points: Sequence[float], input_shape: Sequence[object] = (1, 3, "h", "w")
) -> Path:
    """Write a model with SCRFD's outputs.

    A cell's score is the mean of the first input channel over the cell. Every anchor has the same box
    (four distances) and landmarks (ten offsets).
    """
    graph, outputs = _Graph(), {}
    heads = []
    for grid in GRIDS:
        cells = _average_cells(graph, grid, 0)
        zero = graph("Mul", cells, graph.constant(0.0))
        score = _flatten_anchors(graph, graph("Concat", cells, cells, axis=1), 1)
        heads.append((score, _repeat_for_anchors(graph, zero, box), _repeat_for_anchors(graph, zero, points)))
    for part, numbers in enumerate((1, 4, 10)):
        for i, grid in enumerate(GRIDS):
            name = graph.name_output(heads[i][part], str(400 + 10 * i + part))
            outputs[name] = [f"n{grid}", numbers]
    return graph.save(path, input_shape, outputs)


def write_retinaface(path: Path, box: Sequence[float], points: Sequence[float], *, softmaxed: bool = True) -> Path:
    """Write a model with RetinaFace's outputs.

    A cell's probability (its logit if not `softmaxed`) is a hundredth of the mean of the first input
    channel. Every prior has the same box and landmarks.
    """
    graph = _Graph()
    parts: list[list[str]] = [[], [], []]
    for grid in GRIDS:
        face = graph("Mul", _average_cells(graph, grid, 0), graph.constant(0.01))
        zero = graph("Mul", face, graph.constant(0.0))
        background = graph("Sub", graph.constant(1.0), face) if softmaxed else zero
        parts[0].append(_repeat_for_anchors(graph, zero, box))
        parts[1].append(_flatten_anchors(graph, graph("Concat", background, face, background, face, axis=1), 2))
        parts[2].append(_repeat_for_anchors(graph, zero, points))
    outputs = {}
    for name, part, numbers in zip(("loc", "conf", "landmarks"), parts, (4, 2, 10), strict=True):
        graph.name_output(graph("Unsqueeze", graph("Concat", *part, axis=0), graph.constant([0], np.int64)), name)
        outputs[name] = [1, "n", numbers]
    return graph.save(path, (1, 3, "h", "w"), outputs)
