"""Orientation and crop in HEIC and AVIF files, whose container stores them as item properties."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
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


@dataclass(frozen=True)
class UncroppedHeif:
    """A HEIC file without the crop (`clap`) of its primary picture, and that crop.

    `box`: left, top, right, bottom in pixels of the picture before it is turned. `orientation`: the EXIF
    orientation that the decoder applies.
    """

    data: bytes
    box: tuple[int, int, int, int]
    orientation: int

    def crop(self, pixels: UInt8) -> UInt8:
        """Crop the decoded picture of `data`, (h, w, 3)."""
        left, top, right, bottom = self.box
        inverse = {6: 8, 8: 6}.get(self.orientation, self.orientation)
        return apply_orientation(apply_orientation(pixels, inverse)[top:bottom, left:right], self.orientation)


def remove_crop(data: bytes) -> UncroppedHeif | None:
    """Remove the crop of a HEIC file's primary picture; None if it has none, or an invalid one.

    The property stays, but covers the whole picture (ISO/IEC 14496-12, section 12.1.4).
    """
    try:
        properties = _read_primary_properties(_read_meta_box(io.BytesIO(data)))
        kinds = [kind for kind, _ in properties]
        crop, size = (properties[kinds.index(kind)][1] for kind in (b"clap", b"ispe"))
        if {b"irot", b"imir"} & set(kinds[: kinds.index(b"clap")]):
            return None
        box, width, height = _parse_crop(crop, size)
    except (ValueError, KeyError, IndexError, struct.error, ZeroDivisionError):
        return None
    whole = struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1)
    uncropped = data.replace(b"clap" + crop, b"clap" + whole, 1)
    return UncroppedHeif(uncropped, box, read_heif_orientation(io.BytesIO(data)))


def _parse_crop(crop: bytes, size: bytes) -> tuple[tuple[int, int, int, int], int, int]:
    """Return the box of a crop, and the picture's width and height. Raises ValueError, struct.error,
    ZeroDivisionError."""
    width, height = struct.unpack_from(">4xII", size)
    numbers = struct.unpack(">IIIIiIiI", crop)
    across, down, right_of_centre, below_centre = (Fraction(*numbers[i : i + 2]) for i in (0, 2, 4, 6))
    left, top = int((width - across) / 2 + right_of_centre), int((height - down) / 2 + below_centre)
    right, bottom = left + int(across), top + int(down)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError("the crop is not within the picture")
    return (left, top, right, bottom), width, height


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
