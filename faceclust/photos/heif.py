"""Orientation in HEIC and AVIF files, whose container stores it as item properties."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from faceclust.photos.exif_orientation import apply_orientation
from faceclust.photos.iso_boxes import bytes_reader, file_reader, iter_boxes
from faceclust.types import UInt8

_MAX_BOXES = 256
_MAX_META_BYTES = 16_000_000


def read_heif_orientation(file: BinaryIO) -> int:
    """Return the EXIF orientation equal to the rotations and mirrorings of the primary item.

    They are applied in the order of the file (ISO/IEC 23008-12, sections 6.5.10 and 6.5.12); 1 if
    there are none. Raises ValueError if the file has no valid item description.
    """
    try:
        properties = _read_primary_properties(_read_meta_box(file))
    except (KeyError, IndexError) as error:
        raise ValueError(f"no HEIF items: {error}") from None
    marked = np.array([[1, 2], [3, 4]], np.uint8)
    turned = _apply_properties(marked, properties)
    return next(value for value in range(1, 9) if np.array_equal(apply_orientation(marked, value), turned))


def _read_meta_box(file: BinaryIO) -> bytes:
    read, size = file_reader(file), file.seek(0, os.SEEK_END)
    for kind, start, end in iter_boxes(read, 0, size, _MAX_BOXES):
        if kind == b"meta":
            return read(start, min(end - start, _MAX_META_BYTES))
    raise ValueError("no HEIF items")


def _read_primary_properties(meta: bytes) -> list[tuple[bytes, bytes]]:
    """Return (kind, content) of the primary item's properties, in order. Raises KeyError, IndexError."""
    boxes = dict(_iter_child_boxes(meta, 4))  # after version and flags
    primary = _read_integer(boxes[b"pitm"], 4, 2 if boxes[b"pitm"][0] == 0 else 4)
    properties = dict(_iter_child_boxes(boxes[b"iprp"]))
    known = list(_iter_child_boxes(properties[b"ipco"]))
    indices = _iter_property_indices(properties[b"ipma"], primary)
    return [known[index - 1] for index in indices if 0 < index <= len(known)]


def _apply_properties(pixels: UInt8, properties: list[tuple[bytes, bytes]]) -> UInt8:
    for kind, content in properties:
        if kind == b"irot" and content:
            pixels = np.rot90(pixels, content[0] & 3)
        elif kind == b"imir" and content:
            pixels = pixels[:, ::-1] if content[0] & 1 else pixels[::-1]
    return pixels


def _iter_child_boxes(data: bytes, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, content) of each box in the content of another, from an offset."""
    for kind, at, end in iter_boxes(bytes_reader(data), start, len(data), len(data) // 8):
        yield kind, data[at:end]


def _iter_property_indices(ipma: bytes, item: int) -> Iterator[int]:
    """Yield the indices, from 1, of an item's properties: at most 255, as an item has one entry."""
    id_size = 4 if ipma[0] else 2
    index_size, index_mask = (2, 0x7FFF) if ipma[3] & 1 else (1, 0x7F)
    at = 8
    for _ in range(_read_integer(ipma, 4, 4)):
        owner, at = _read_integer(ipma, at, id_size), at + id_size
        count, at = ipma[at], at + 1
        for _ in range(count):
            index, at = _read_integer(ipma, at, index_size), at + index_size
            if owner == item:
                yield index & index_mask
        if owner == item:
            return


def _read_integer(data: bytes, at: int, size: int) -> int:
    part = data[at : at + size]
    if len(part) < size:
        raise IndexError("a box ends too early")
    return int.from_bytes(part, "big")
