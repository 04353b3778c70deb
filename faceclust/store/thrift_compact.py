"""Parse structs in Thrift's compact protocol, such as the footer and the page headers of Parquet files.

Source of the format: Apache Thrift, `thrift-compact-protocol.md`. The parser is stricter than others,
so that they read the same from what it accepts: no field twice, and no number that its type cannot
hold.
"""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 10
_TRUE, _FALSE, _BYTE, _INT16, _INT32, _INT64, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_INTEGER_BITS = {_INT16: 16, _INT32: 32, _INT64: 64}


class ThriftError(ValueError):
    """The bytes are not a struct in the compact protocol."""


def parse_struct(data: bytes, start: int, last_field: int = 2**15) -> tuple[dict[int, Any], int]:
    """Parse the struct at `start`. Return its fields by number, which are integers, booleans, bytes,
    lists and structs, and the position after it. Fields after `last_field` are not parsed. Raises
    ThriftError."""
    try:
        fields, end = _parse_struct(data, start, 0, last_field)
    except IndexError as error:
        raise ThriftError("a struct is longer than the data") from error
    if end > len(data):
        raise ThriftError("a text is longer than the data")
    return fields, end


def _parse_struct(data: bytes, at: int, depth: int, last_field: int = 2**15) -> tuple[dict[int, Any], int]:
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind = head & 15
        if head < 16 or depth > _MAX_DEPTH:
            raise ThriftError("a struct is invalid")
        number += head >> 4
        if number > last_field:
            break
        value = data[at]
        # The frequent kinds are parsed here: a function call would cost too much.
        if kind in _INTEGER_BITS and value < 0x80:
            fields[number] = (value >> 1) ^ -(value & 1)
            at += 1
        elif kind == _STRUCT:
            fields[number], at = _parse_struct(data, at, depth + 1)
        elif kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], at = _parse_value(data, at, kind, depth)
    return fields, at + 1


def _parse_value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == _STRUCT:
        return _parse_struct(data, at, depth + 1)
    if kind in _INTEGER_BITS:
        zigzag, at = _parse_varint(data, at)
        if zigzag >> _INTEGER_BITS[kind]:
            raise ThriftError("a number is too large for its type")
        return (zigzag >> 1) ^ -(zigzag & 1), at
    if kind == _LIST:
        return _parse_list(data, at, depth)
    if kind == _BINARY:
        size, at = _parse_varint(data, at)
    elif kind in (_TRUE, _FALSE, _BYTE, _DOUBLE):  # in a list, a boolean takes a byte
        size = 8 if kind == _DOUBLE else 1
    else:
        raise ThriftError(f"a value has the unknown type {kind}")
    return data[at : at + size], at + size


def _parse_list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    head = data[at]
    at += 1
    size, kind = head >> 4, head & 15
    if size == 15:
        size, at = _parse_varint(data, at)
    if size > len(data) - at:
        raise ThriftError("a list is longer than the data")
    if kind == _STRUCT:
        structs = []
        for _ in range(size):
            fields, at = _parse_struct(data, at, depth + 1)
            structs.append(fields)
        return structs, at
    values = data[at : at + size]
    if kind in _INTEGER_BITS and values.isascii():  # one byte each
        return [(value >> 1) ^ -(value & 1) for value in values], at + size
    return _parse_values(data, at, kind, depth, size)


def _parse_values(data: bytes, at: int, kind: int, depth: int, size: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(size):
        value, at = _parse_value(data, at, kind, depth)
        values.append(value)
    return values, at


def _parse_varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift in range(7, 70, 7):
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
    raise ThriftError("a number is too long")
