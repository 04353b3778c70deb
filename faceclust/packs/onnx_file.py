"""Check an ONNX file before it is run: is it valid, and does it refer to other files?

ONNX files are protocol buffers (onnx/onnx.proto3, IR version 13). The check visits only messages
that can contain a tensor, by their field numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from faceclust.errors import PackError
from faceclust.packs.other_formats import other_format_error

#: For each message type, its fields with nested messages, by field number.
_NESTED_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_GRAPH_FIELD = 7  # of the model
_EXTERNAL_DATA_FIELD, _DATA_LOCATION_FIELD = 13, 14  # of a tensor
_OP_TYPE_FIELD = 4  # of a node
_EXTERNAL_OPERATORS = {b"EPContext"}  # operators that refer to files
_MAX_DEPTH = 64


def check_onnx(data: bytes, path: PurePath) -> None:
    """Raise PackError unless this is a complete ONNX file that contains all its weights. A file that
    refers to others could make ONNX Runtime read any path on the disk."""
    if error := other_format_error(data, path):
        raise error
    name = path.name
    try:
        has_external_data = _references_files(memoryview(data), "model", 0)
        has_graph = any(number == _GRAPH_FIELD for number, _ in _read_fields(memoryview(data)))
    except (ValueError, IndexError):
        raise PackError(f"{name} is not an ONNX file, or is incomplete", hint="download or copy it again") from None
    if not has_graph:
        raise PackError(f"{name} is not an ONNX file: it has no graph", hint="download or export it again")
    if has_external_data:
        raise PackError(
            f"{name} keeps its weights in another file, which faceclust does not read",
            hint="merge them: onnx.save(onnx.load(FILE), NEW_FILE, save_as_external_data=False)",
        )


def read_onnx(path: Path) -> bytes:
    """Read an ONNX file and check it as `check_onnx` does. Raises PackError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    check_onnx(data, path)
    return data


def _references_files(message: memoryview, kind: str, depth: int) -> bool:
    """Does this message, or any nested in it, refer to another file?"""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    nested = _NESTED_FIELDS[kind]
    for number, value in _read_fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA_FIELD or (number == _DATA_LOCATION_FIELD and value != 0)):
            return True
        if kind == "node" and number == _OP_TYPE_FIELD and bytes(_require_bytes(value)) in _EXTERNAL_OPERATORS:
            return True
        if number in nested and _references_files(_require_bytes(value), nested[number], depth + 1):
            return True
    return False


def _require_bytes(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _read_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield each field's number and content: an integer for a varint, else bytes. Raises ValueError
    or IndexError if the message is not a protocol buffer."""
    position, end = 0, len(message)
    while position < end:
        start = position
        key, position = _read_varint(message, position)
        if key >> 32 or position - start > 5:  # other parsers use the lower 32 bits: another field
            raise ValueError("invalid tag")
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if wire_type == 2:
            size, position = _read_varint(message, position)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError("invalid wire type")
        if number == 0 or position + size > end:
            raise ValueError("truncated")
        yield number, message[position : position + size]
        position += size


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the value at `position` and the position after it."""
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("invalid varint")
