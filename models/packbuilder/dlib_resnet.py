"""Convert dlib's face recognition ResNet (Davis King, public domain) to ONNX.

Reads dlib's serialisation (a `loss_metric_2` file, as written by dlib 19) and builds the graph.
Input `input`: float32 (n, 3, 150, 150) RGB, 0..255. Output `embedding`: float32 (n, 128), not
normalised, equal to that of dlib's `face_recognition_model_v1` for one chip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from packbuilder.graph import Graph
from packbuilder.sources import PackBuildError

_BLOCK = ["affine", "con", "relu", "affine", "con"]
_RESIDUAL = ["relu", "add_prev", *_BLOCK, "tag1"]
_RESIDUAL_DOWN = ["relu", "add_prev", "avg_pool", "skip1", "tag2", *_BLOCK, "tag1"]
#: The layers from output to input, the order in which dlib stores their versions.
_LAYERS_OUTPUT_FIRST = [
    "fc", "avg_pool",
    *_RESIDUAL_DOWN, *_RESIDUAL * 2, *_RESIDUAL_DOWN, *_RESIDUAL * 2, *_RESIDUAL_DOWN,
    *_RESIDUAL * 3, *_RESIDUAL_DOWN, *_RESIDUAL * 3,
    "max_pool", "relu", "affine", "con",
]  # fmt: skip


@dataclass(frozen=True)
class _Layer:
    kind: str
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    kernel: tuple[int, int] = (0, 0)
    stride: int = 1
    pad: int = 0


class _DlibReader:
    """Reads dlib's portable binary format value by value."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = memoryview(data), 0

    def read_bytes(self, count: int) -> memoryview:
        part = self.data[self.position : self.position + count]
        if len(part) != count:
            raise PackBuildError(f"the dlib file ends at byte {len(self.data)}, in the middle of a value")
        self.position += count
        return part

    def read_integer(self) -> int:
        header = self.read_bytes(1)[0]
        size = header & 0x0F
        if header & 0x70 or not 1 <= size <= 8:
            raise PackBuildError(f"not a dlib integer at byte {self.position - 1}")
        value = int.from_bytes(self.read_bytes(size), "little")
        return -value if header & 0x80 else value

    def read_integers(self, count: int) -> list[int]:
        return [self.read_integer() for _ in range(count)]

    def read_float(self) -> float:
        mantissa, exponent = self.read_integers(2)
        if exponent >= 32000:  # dlib's encoding of inf, -inf and nan
            raise PackBuildError(f"a number at byte {self.position} is not finite")
        return mantissa * 2.0**exponent

    def expect(self, *values: int | str) -> None:
        for value in values:
            got = (
                bytes(self.read_bytes(self.read_integer())).decode() if isinstance(value, str) else self.read_integer()
            )
            if got != value:
                raise PackBuildError(f"expected {value!r} in the dlib file before byte {self.position}, found {got!r}")

    def read_tensor(self) -> np.ndarray:
        self.expect(2)
        shape = self.read_integers(4)
        return np.frombuffer(self.read_bytes(4 * int(np.prod(shape))), "<f4").reshape(shape)

    def skip_multipliers(self) -> None:
        for _ in range(4):  # learning rate and weight decay multipliers, for weights and bias
            self.read_float()

    def read_alias_shape(self) -> list[int]:
        self.expect(1)
        return self.read_integers(4)


def convert(source: bytes) -> bytes:
    """Convert `dlib_face_recognition_resnet_model_v1.dat` to an ONNX file."""
    means, side, layers = _read_network(source)
    return _build_graph(means, side, layers)


def _read_network(source: bytes) -> tuple[np.ndarray, int, list[_Layer]]:
    r = _DlibReader(source)
    r.expect(1, "loss_metric_2")
    r.read_float(), r.read_float()  # margin and threshold of the training loss
    innermost = len(_LAYERS_OUTPUT_FIRST) - 1
    for i, kind in enumerate(_LAYERS_OUTPUT_FIRST):
        r.expect(1 if kind.startswith(("tag", "skip")) else 3 if i == innermost else 2)
    r.expect("input_rgb_image_sized")
    means = np.array([r.read_float() for _ in range(3)])
    height, width = r.read_integers(2)
    if height != width:
        raise PackBuildError(f"the dlib network's input is {height}x{width}, expected a square")
    layers = []
    for i, kind in enumerate(reversed(_LAYERS_OUTPUT_FIRST)):
        if kind.startswith(("tag", "skip")):
            layers.append(_Layer(kind))
            continue
        layers.append(_read_layer(r, kind))
        r.read_bytes(3)  # three flags of the training state
        for _ in range(3):  # gradients and cached output, empty in a published network
            r.read_tensor()
        if i == 0:
            r.read_integer()  # sample expansion factor
    return means, height, layers


def _read_layer(r: _DlibReader, kind: str) -> _Layer:
    if kind == "con":
        r.expect("con_4")
        parameters = r.read_tensor().ravel()
        _, height, width, stride, _, pad, _ = r.read_integers(7)
        shape, _ = r.read_alias_shape(), r.read_alias_shape()
        r.skip_multipliers()
        count = int(np.prod(shape))
        return _Layer(kind, parameters[:count].reshape(shape), parameters[count:], (height, width), stride, pad)
    if kind == "affine":
        r.expect("affine_")
        parameters = r.read_tensor().ravel()
        gamma, _ = r.read_alias_shape(), r.read_alias_shape()
        r.expect(0)  # convolution mode: one gain and offset per channel
        count = int(np.prod(gamma))
        return _Layer(kind, parameters[:count], parameters[count:])
    if kind.endswith("_pool"):
        r.expect(f"{kind}_2")
        height, width, stride, _, pad, _ = r.read_integers(6)
        return _Layer(kind, kernel=(height, width), stride=stride, pad=pad)
    if kind == "fc":
        r.expect("fc_2")
        outputs, inputs = r.read_integers(2)
        matrix = r.read_tensor().reshape(inputs, outputs)
        r.read_alias_shape(), r.read_alias_shape()
        r.expect(1)  # no bias
        r.skip_multipliers()
        return _Layer(kind, matrix)
    r.expect(f"{kind}_")
    return _Layer(kind)


def _build_graph(means: np.ndarray, side: int, layers: list[_Layer]) -> bytes:
    g = Graph("dlib_face_recognition_resnet_v1")
    centred = g.node("Sub", "input", g.constant(means.astype(np.float32).reshape(1, 3, 1, 1)))
    x = g.node("Mul", centred, g.constant(np.float32(1 / 256)))
    shape = (3, side)  # channels, height = width
    tagged: dict[str, tuple[str, tuple[int, int]]] = {}
    for before, layer, after in zip([None, *layers], layers, [*layers[1:], None], strict=False):
        match layer.kind:
            case "con":
                x = g.conv(x, *_fold_affine(layer, after), stride=layer.stride, pads=[layer.pad] * 4)
                shape = (len(layer.weights), _output_size(shape[1], layer))
            case "relu":
                x = g.node("Relu", x)
            case "max_pool" | "avg_pool" if layer.kernel != (0, 0):
                op = {"max_pool": "MaxPool", "avg_pool": "AveragePool"}[layer.kind]
                x = g.node(op, x, kernel_shape=layer.kernel, strides=[layer.stride] * 2, pads=[layer.pad] * 4)
                shape = (shape[0], _output_size(shape[1], layer))
            case "avg_pool":
                x = g.node("Flatten", g.node("GlobalAveragePool", x), axis=1)
            case "tag1" | "tag2":
                tagged[layer.kind] = x, shape
            case "skip1":
                x, shape = tagged["tag1"]
            case "add_prev":
                # A down-sampling block adds its pooled input to the block with tag 2.
                other, other_shape = tagged["tag2" if before.kind == "avg_pool" else "tag1"]
                both = (max(shape[0], other_shape[0]), max(shape[1], other_shape[1]))
                x = g.node("Add", _zero_pad(g, x, shape, both), _zero_pad(g, other, other_shape, both))
                shape = both
            case "fc":
                g.node("MatMul", x, g.constant(layer.weights), out="embedding")
    return g.serialise({"input": ["n", 3, side, side]}, {"embedding": ["n", layers[-1].weights.shape[1]]})


def _fold_affine(con: _Layer, affine: _Layer | None) -> tuple[np.ndarray, np.ndarray]:
    """Fold the affine layer after a convolution into its weights and bias."""
    if affine is None or affine.kind != "affine":
        raise PackBuildError("a convolution in the dlib file has no affine layer after it")
    gain = affine.weights.astype(np.float64)
    return con.weights * gain[:, None, None, None], con.bias * gain + affine.bias


def _output_size(size: int, layer: _Layer) -> int:
    return (size + 2 * layer.pad - layer.kernel[0]) // layer.stride + 1


def _zero_pad(g: Graph, x: str, shape: tuple[int, int], target: tuple[int, int]) -> str:
    if shape == target:
        return x
    channels, pixels = target[0] - shape[0], target[1] - shape[1]
    return g.node("Pad", x, g.constant(np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)))
