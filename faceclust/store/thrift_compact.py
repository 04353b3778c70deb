"""Parse structs in Thrift's compact protocol, such as the footer and the page headers of Parquet files.

Source of the format: Apache Thrift, `thrift-compact-protocol.md`. The reader is stricter than other
readers, so that they read the same from what it accepts: no field twice, and no number that its
type cannot hold.
"""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 10
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGER_BITS = {4: 16, 5: 32, 6: 64}  # by type


class ThriftError(ValueError):
    """The bytes are not a struct in the compact protocol."""


class CompactReader:
    """Reads structs one after the other from `data`, the next one at `position`."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self.position = data, position

    def read_struct(self) -> dict[int, Any]:
        """Return the fields of a struct by number: integers, booleans, bytes, lists and structs.
        Raises ThriftError."""
        try:
            return self._read_struct(0)
        except IndexError as error:
            raise ThriftError("it ends within a struct") from error

    def _read_struct(self, depth: int) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._data[self.position]:
            self.position += 1
            if head < 16 or depth > _MAX_DEPTH:
                raise ThriftError("its structs are invalid")
            number += head >> 4
            kind = head & 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._read_value(kind, depth)
        self.position += 1
        return fields

    def _read_value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGER_BITS:
            return self._read_integer(_INTEGER_BITS[kind])
        if kind == _STRUCT:
            return self._read_struct(depth + 1)
        if kind == _BINARY:
            return self._read_bytes(self._read_varint())
        if kind == _LIST:
            return self._read_list(depth)
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a boolean takes a byte
            return self._read_bytes(1)
        if kind == _DOUBLE:
            return self._read_bytes(8)
        raise ThriftError(f"it has a value of the unknown type {kind}")

    def _read_list(self, depth: int) -> list[Any]:
        head = self._data[self.position]
        self.position += 1
        size = head >> 4
        if size == 15:
            size = self._read_varint()
        if size > len(self._data) - self.position:
            raise ThriftError("a list is longer than the data")
        return [self._read_value(head & 15, depth) for _ in range(size)]

    def _read_bytes(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self._data):
            raise ThriftError("a text is longer than the data")
        return self._data[start : self.position]

    def _read_integer(self, bits: int) -> int:
        zigzag = self._read_varint()
        if zigzag >> bits:
            raise ThriftError("a number is too large for its type")
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _read_varint(self) -> int:
        data = self._data
        value = data[self.position]
        self.position += 1
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in range(7, 70, 7):
            byte = data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ThriftError("a number is too long")
