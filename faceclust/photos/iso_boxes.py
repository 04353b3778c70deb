"""The boxes of ISO base media files (ISO/IEC 14496-12): HEIC, AVIF, Canon CR3, JPEG XL."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

#: Return `count` bytes from an offset, fewer at the end of the file.
Reader = Callable[[int, int], bytes]


class Box(NamedTuple):
    """A box's type, and the offsets of the start and end of its content."""

    kind: bytes
    start: int
    end: int


def iter_boxes(read: Reader, start: int, end: int, max_boxes: int) -> Iterator[Box]:
    """Yield the boxes that follow one another between two offsets, at most `max_boxes`.

    A box of size 0 reaches to `end`, and a box that claims to be longer is cut there. Iteration
    stops at a box that is smaller than its own header, or whose header is incomplete.
    """
    at = start
    for _ in range(max_boxes):
        if at + 8 > end or len(header := read(at, 16)) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        content = at + 8
        if size == 1:  # a 64-bit size follows
            if len(header) < 16:
                return
            (size,) = struct.unpack_from(">Q", header, 8)
            content += 8
        stop = min(at + size if size else end, end)
        if stop < content:
            return
        yield Box(kind, content, stop)
        at = stop


def bytes_reader(data: bytes) -> Reader:
    """Return a reader of bytes in memory."""
    return lambda at, count: data[at : at + count]


def file_reader(file: BinaryIO) -> Reader:
    """Return a reader of an open file, whose position it changes."""

    def read(at: int, count: int) -> bytes:
        file.seek(at)
        return file.read(count)

    return read
