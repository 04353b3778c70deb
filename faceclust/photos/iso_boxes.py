"""XMP packets in files made of boxes (ISO 14496-12): HEIC, AVIF, Canon's CR3, JPEG XL."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

#: Gives `count` bytes from an offset on, fewer at the file's end.
Reader = Callable[[int, int], bytes]

_MAX_BOXES, _MAX_ITEMS, _MAX_EXTENTS = 1000, 10_000, 64
_MAX_META_BYTES = 4_000_000
#: The box that XMP is in where a file is no HEIF: of CR3 and MP4, by Adobe's specification, part 3.
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


#: One piece of a packet: what reads it, where it begins and its length.
_Extent = tuple[Reader, int, int]


def find_iso_packets(read: Reader, size: int, max_bytes: int) -> Iterator[bytes]:
    """The packets of a file of `read_dimensions` bytes, of `most` bytes all together: their pieces may overlap,
    so that a small file could say much. Raises struct.error for one that lies."""
    for pieces in _find_packet_extents(read, size):
        max_bytes -= sum(length for _, _, length in pieces)
        if max_bytes < 0:
            return
        yield b"".join(source(at, length) for source, at, length in pieces)


def _find_packet_extents(read: Reader, size: int) -> Iterator[list[_Extent]]:
    for kind, start, end in _walk_boxes(read, 0, size):
        if kind == b"meta" and end - start <= _MAX_META_BYTES:
            yield from _find_heif_extents(read, read(start, end - start))
        elif kind == b"uuid" and read(start, 16) == _XMP_UUID:
            yield [(read, start + 16, max(end - start - 16, 0))]
        elif kind == b"xml ":  # JPEG XL
            yield [(read, start, end - start)]


def _walk_boxes(read: Reader, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where the content begins, where it ends) of each box."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack(">I4s", read(at, 8))
        begins = at + 8
        if size == 1:
            (size,) = struct.unpack(">Q", read(begins, 8))
            begins += 8
        ends = min(at + size if size else end, end)
        if ends < begins:
            return
        yield kind, begins, ends
        at = ends


def _find_heif_extents(read: Reader, meta: bytes) -> Iterator[list[_Extent]]:
    """XMP among the items of a HEIF's "meta" box."""

    def inside(at: int, count: int) -> bytes:
        return meta[at : at + count]

    parts = {kind: (start, end) for kind, start, end in _walk_boxes(inside, 4, len(meta))}  # after version and flags
    if not {b"iinf", b"iloc"} <= parts.keys():
        return
    xmp = set(_read_xmp_item_ids(meta, *parts[b"iinf"]))
    for item, method, extents in _read_item_locations(meta[slice(*parts[b"iloc"])]):
        if item not in xmp:
            continue
        if method == 0:
            yield [(read, at, length) for at, length in extents]
        elif method == 1 and b"idat" in parts:
            start, end = parts[b"idat"]
            yield [(inside, start + at, max(min(length, end - start - at), 0)) for at, length in extents]


def _read_xmp_item_ids(meta: bytes, start: int, end: int) -> Iterator[int]:
    """The numbers of the items that "iinf" says are XMP."""
    if start == end:
        raise struct.error("the box of the items is empty")
    first = start + (6 if meta[start] == 0 else 8)  # version, flags, count
    for kind, at, ends in _walk_boxes(lambda at, count: meta[at : at + count], first, end):
        version = meta[at] if at < ends else 0
        if kind == b"infe" and version in (2, 3):
            wide = version == 3
            number = int.from_bytes(meta[at + 4 : at + (8 if wide else 6)], "big")
            words = meta[at + (10 if wide else 8) : ends]
            _, _, content = words[4:].partition(b"\0")
            if words[:4] == b"mime" and content.partition(b"\0")[0] == b"application/rdf+xml":
                yield number


def _read_item_locations(iloc: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """(item, construction method, (offset, length) of its parts) of each item."""
    version, sizes = struct.unpack_from(">B3xH", iloc)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    at = 6

    def number(bytes_: int) -> int:
        nonlocal at
        if at + bytes_ > len(iloc):
            raise struct.error("the list of items ends too soon")
        at += bytes_
        return int.from_bytes(iloc[at - bytes_ : at], "big")

    for _ in range(min(number(4 if version == 2 else 2), _MAX_ITEMS)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)  # which file: this one
        begins, extents = number(base), []
        for _ in range(min(number(2), _MAX_EXTENTS)):
            if version and index:
                number(index)
            extents.append((begins + number(offset), number(length)))
        yield item, method, extents
