"""The container of HEIC and AVIF: how the picture in it is to be turned."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from faceclust.photos.decoders import apply_orientation

_MAX_BOXES = 256
_MAX_META_BYTES = 16_000_000  # bytes of the box that describes the items


def read_heif_orientation(file: BinaryIO) -> int:
    """The EXIF orientation that says the same as the rotations and mirrorings of the primary item
    (ISO/IEC 23008-12, sections 6.5.10 and 6.5.12), in their order; 1 where there are none. Raises
    ValueError for a file without a description of its items."""
    try:
        meta = _read_meta_box(file)
        parts = dict(_iter_child_boxes(meta, 4))
        item = _read_integer(parts[b"pitm"], 4, 2 if parts[b"pitm"][0] == 0 else 4)
        properties = dict(_iter_child_boxes(parts[b"iprp"], 0))
        known = list(_iter_child_boxes(properties[b"ipco"], 0))
        applied = [
            known[index - 1] for index in _iter_property_indices(properties[b"ipma"], item) if 0 < index <= len(known)
        ]
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError(f"no HEIF items: {error}") from None
    marks = np.array([[1, 2], [3, 4]], np.uint8)
    turned = marks
    for kind, content in applied:
        if kind == b"irot" and content:
            turned = np.rot90(turned, content[0] & 3)
        elif kind == b"imir" and content:
            turned = turned[:, ::-1] if content[0] & 1 else turned[::-1]
    return next(way for way in range(1, 9) if np.array_equal(apply_orientation(marks, way), turned))


def _read_meta_box(file: BinaryIO) -> bytes:
    for _ in range(_MAX_BOXES):
        at = file.tell()
        head = file.read(16)
        size, kind = _read_integer(head, 0, 4), head[4:8]
        start = 8
        if size == 1:
            size, start = _read_integer(head, 8, 8), 16
        if kind == b"meta":
            file.seek(at + start)
            return file.read(min(size - start, _MAX_META_BYTES) if size else _MAX_META_BYTES)
        if size < start:
            break
        file.seek(at + size)
    raise ValueError("no HEIF items")


def _iter_child_boxes(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in a box, from this byte of it on."""
    while at + 8 <= len(data):
        size = _read_integer(data, at, 4)
        if size < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _iter_property_indices(ipma: bytes, item: int) -> Iterator[int]:
    """The numbers, from 1, of the properties of an item."""
    wide_items, wide_numbers = ipma[0] > 0, ipma[3] & 1
    at = 8
    for _ in range(_read_integer(ipma, 4, 4)):
        of, at = _read_integer(ipma, at, 4 if wide_items else 2), at + (4 if wide_items else 2)
        count, at = ipma[at], at + 1
        for _ in range(count):
            number, at = _read_integer(ipma, at, 2 if wide_numbers else 1), at + (2 if wide_numbers else 1)
            if of == item:
                yield number & (0x7FFF if wide_numbers else 0x7F)


def _read_integer(data: bytes, at: int, size: int) -> int:
    part = data[at : at + size]
    if len(part) < size:
        raise IndexError("it ends too early")
    return int.from_bytes(part, "big")
