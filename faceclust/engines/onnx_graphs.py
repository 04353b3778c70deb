"""Write the ONNX graphs that compare vectors.

ONNX files are protocol buffers (onnx/onnx.proto3). These graphs have no weights, and ONNX is no dependency
at run time. So the few messages are encoded here.
"""

from __future__ import annotations

import struct

_OPSET, _IR_VERSION = 17, 8
_FLOAT, _UINT8, _INT8, _INT32, _INT64 = 1, 2, 3, 6, 7  # TensorProto.DataType

#: Inputs or outputs by name: element type and shape.
_Values = dict[str, tuple[int, tuple[int | str, ...]]]


def build_tile_graph() -> bytes:
    """Return the ONNX file of the tile.

    Inputs: the vectors `rows` (r, d) and `columns` (c, d) and their squared norms `row_squares` (r, 1)
    and `column_squares` (1, c), float32; the entries `hidden` (h, 2) int64 of the tile and their values
    `hidden_values` (h,) float32, which are +inf; `length` (1,) int64, at most c. Outputs: the columns
    `nearest` (r, length) int32 with the smallest `distances` (r, length) float32, ascending.

    The squared norms are added after the product, so that a product of reduced precision does not round
    them. Entries are hidden before the selection: otherwise they would take the places of others.
    """
    nodes = [
        _node("Gemm", ["rows", "columns"], ["products"], alpha=-2.0, transB=1),
        _node("Add", ["products", "column_squares"], ["partial"]),
        _node("Add", ["partial", "row_squares"], ["all"]),
        _node("ScatterND", ["all", "hidden", "hidden_values"], ["allowed"]),
        _node("TopK", ["allowed", "length"], ["distances", "positions"], axis=1, largest=0),
        _node("Cast", ["positions"], ["nearest"], to=_INT32),
    ]
    inputs: _Values = {
        "rows": (_FLOAT, ("r", "d")),
        "columns": (_FLOAT, ("c", "d")),
        "row_squares": (_FLOAT, ("r", 1)),
        "column_squares": (_FLOAT, (1, "c")),
        "hidden": (_INT64, ("h", 2)),
        "hidden_values": (_FLOAT, ("h",)),
        "length": (_INT64, (1,)),
    }
    return _model(nodes, inputs, {"nearest": (_INT32, ("r", "k")), "distances": (_FLOAT, ("r", "k"))})


def build_integer_product_graph() -> bytes:
    """Return the ONNX file of a product: `rows` (r, k) uint8 minus `zero` (1,) uint8, times `columns` (k, c) int8.

    The output `product` (r, c) is int32.
    """
    inputs: _Values = {"rows": (_UINT8, ("r", "k")), "columns": (_INT8, ("k", "c")), "zero": (_UINT8, (1,))}
    return _model([_node("MatMulInteger", list(inputs), ["product"])], inputs, {"product": (_INT32, ("r", "c"))})


def _model(nodes: list[bytes], inputs: _Values, outputs: _Values) -> bytes:
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "graph")
    graph += b"".join(_field(11, _value(name, *kind)) for name, kind in inputs.items())
    graph += b"".join(_field(12, _value(name, *kind)) for name, kind in outputs.items())
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, _field(1, "") + _field(2, _OPSET))


def _node(operator: str, inputs: list[str], outputs: list[str], **attributes: float) -> bytes:
    names = b"".join(_field(1, name) for name in inputs) + b"".join(_field(2, name) for name in outputs)
    return names + _field(4, operator) + b"".join(_field(5, _attribute(*each)) for each in attributes.items())


def _attribute(name: str, value: float) -> bytes:
    is_float = isinstance(value, float)
    content = _field(2, value) if is_float else _field(3, value)
    return _field(1, name) + content + _field(20, 1 if is_float else 2)


def _value(name: str, element_type: int, shape: tuple[int | str, ...]) -> bytes:
    dimensions = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in shape)
    tensor = _field(1, element_type) + _field(2, dimensions)
    return _field(1, name) + _field(2, _field(1, tensor))


def _field(number: int, value: float | str | bytes) -> bytes:
    """Encode a field: an integer as a varint, a float in four bytes, text and messages with their length."""
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
