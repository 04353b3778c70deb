"""What an ONNX file says before it is run: whether it is one, and whether it reads other files.

ONNX files are protocol buffers (onnx/onnx.proto3, IR version 13). Of these only what can hold a
tensor is walked through, by the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faceclust.errors import PackError

#: For each message: the fields that hold further ones, by number.
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
_EXTERNAL_DATA_FIELD, _DATA_LOCATION_FIELD = 13, 14  # of a tensor
_OP_TYPE_FIELD = 4  # of a node
_EXTERNAL_OPERATORS = {b"EPContext"}  # operators that name files
_MAX_DEPTH = 64
#: What other files of models begin with.
_OTHER_SIGNATURES = {
    b"PK\x03\x04": "a zip archive, such as PyTorch's .pt: export it to ONNX first",
    b"\x80\x02": "a Python pickle, such as PyTorch's .pth: export it to ONNX first",
    b"\x80\x03": "a Python pickle: export it to ONNX first",
    b"\x80\x04": "a Python pickle: export it to ONNX first",
    b"\x89HDF": "an HDF5 file, such as Keras': export it to ONNX first",
    b"version https://git-lfs": "the note that Git LFS leaves in a file's place: fetch the file itself",
    b"<": "a web page: the download went wrong",
}


def check_onnx(data: bytes, name: str) -> None:
    """Raise PackError unless this is an ONNX file that is whole and holds all its weights: what it
    would read from elsewhere on the disk nobody has asked for."""
    for start, what in _OTHER_SIGNATURES.items():
        if data.lstrip()[: len(start)] == start:
            raise PackError(f"{name} is no ONNX file but {what}")
    if data[4:8] == b"TFL3":
        raise PackError(f"{name} is no ONNX file but a TensorFlow Lite model", hint="convert it with tf2onnx")
    try:
        external = _references_files(memoryview(data), "model", 0)
        whole = any(number == 7 for number, _ in _read_fields(memoryview(data)))
    except (ValueError, IndexError):
        raise PackError(f"{name} is no ONNX file, or not a whole one", hint="download or copy it again") from None
    if not whole:
        raise PackError(f"{name} is no ONNX file: there is no graph in it")
    if external:
        raise PackError(
            f"{name} keeps its weights in another file, which is not read",
            hint="put all into one: onnx.save(onnx.load(FILE), NEW_FILE, save_as_external_data=False)",
        )


def read_onnx(path: Path) -> bytes:
    """The content of an ONNX file that `check_onnx` lets pass. Raises PackError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    check_onnx(data, path.name)
    return data


def _references_files(message: memoryview, kind: str, depth: int) -> bool:
    """Whether anything below this message names another file."""
    if depth > _MAX_DEPTH:
        raise ValueError("too deep")
    holds = _NESTED_FIELDS[kind]
    for number, value in _read_fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA_FIELD or (number == _DATA_LOCATION_FIELD and value != 0)):
            return True
        if kind == "node" and number == _OP_TYPE_FIELD and bytes(_require_bytes(value)) in _EXTERNAL_OPERATORS:
            return True
        if number in holds and _references_files(_require_bytes(value), holds[number], depth + 1):
            return True
    return False


def _require_bytes(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _read_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Each field's number and content: a varint as a number, all else as bytes. Raises ValueError or
    IndexError for what is no protocol buffer."""
    at, end = 0, len(message)
    while at < end:
        begun = at
        key, at = _read_varint(message, at)
        if key >> 32 or at - begun > 5:  # others read its lower 32 bits, and see another field
            raise ValueError("no tag")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _read_varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("no wire type")
        if number == 0 or at + size > end:
            raise ValueError("cut off")
        yield number, message[at : at + size]
        at += size


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("no varint")
