"""The first directory of a TIFF file or an EXIF block, which has the form of a TIFF file."""

from __future__ import annotations

import struct
from collections.abc import Collection

from faceclust.photos.iso_boxes import Reader

_MAX_ENTRIES = 4096
#: Bytes of a value of each type: BYTE, ASCII, SHORT, LONG, RATIONAL, their signed forms, UNDEFINED, FLOAT, BigTIFF's.
_TYPE_SIZES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}


def read_first_directory(read: Reader, tags: Collection[int], max_bytes: int) -> dict[int, bytes]:
    """Return the values of these tags as little-endian or big-endian bytes, as in the file.

    Values larger than `max_bytes` are left out. Raises struct.error if the directory is incomplete.
    """
    head = read(0, 16)
    order = byte_order(head)
    large = head[2:4] in (b"+\0", b"\0+")  # BigTIFF
    number, offset, width = ("Q", "Q", 20) if large else ("H", "I", 12)
    (start,) = struct.unpack_from(order + offset, head, 8 if large else 4)
    (count,) = struct.unpack(order + number, read(start, struct.calcsize(order + number)))
    entries = read(start + struct.calcsize(order + number), width * min(count, _MAX_ENTRIES))
    found: dict[int, bytes] = {}
    value_size = struct.calcsize(order + offset)
    for entry in range(0, len(entries) - width + 1, width):
        tag, kind, length = struct.unpack_from(order + "HH" + offset, entries, entry)
        size = _TYPE_SIZES.get(kind, 0) * length
        if tag not in tags or tag in found or not 0 < size <= max_bytes:
            continue
        value = entries[entry + width - value_size : entry + width]
        if size > value_size:
            value = read(struct.unpack(order + offset, value)[0], size)
        found[tag] = value[:size]
    return found


def byte_order(head: bytes) -> str:
    """Return the byte order of a TIFF for `struct`, by its first two bytes."""
    return "<" if head[:2] == b"II" else ">"
