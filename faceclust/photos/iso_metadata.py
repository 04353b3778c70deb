"""XMP packets and EXIF blocks in ISO base media files: HEIC, AVIF, Canon CR3, JPEG XL."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from faceclust.photos.iso_boxes import Reader, bytes_reader, iter_boxes
from faceclust.photos.metadata_blocks import Block, BlockKind, strip_exif_header
from faceclust.photos.optional import load_extra
from faceclust.types import SkipReason

_MAX_BOXES, _MAX_ITEMS, _MAX_EXTENTS = 1000, 10_000, 64
_MAX_META_BYTES = 4_000_000
#: Type of the box that holds XMP in CR3 and MP4 (Adobe's XMP specification, part 3).
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

#: The boxes of JPEG XL that hold metadata. In a "brob" box they are compressed by Brotli.
_JXL_BOXES = {b"xml ": BlockKind.XMP, b"Exif": BlockKind.EXIF}
_MAX_BROTLI_BYTES = 4_000_000  # expanded; the decoder needs a buffer of the size

#: One piece of a block: its reader, offset and length.
_Extent = tuple[Reader, int, int]


def iter_iso_blocks(read: Reader, size: int, max_bytes: int) -> Iterator[Block]:
    """Yield the blocks of a file of `size` bytes, until they exceed `max_bytes` together.

    The limit counts all blocks, because their extents may overlap and a small file could expand
    without bound. Raises struct.error if the item tables are damaged.
    """
    for kind, extents in _find_extents(read, size):
        max_bytes -= sum(length for _, _, length in extents)
        if max_bytes < 0:
            return
        content = b"".join(source(at, length) for source, at, length in extents)
        if kind is None:
            kind, content = _JXL_BOXES[content[:4]], _expand_brotli(content[4:])
            max_bytes -= len(content) or _MAX_BROTLI_BYTES  # what failed may have expanded that far
            if max_bytes < 0:
                return
        if kind is BlockKind.EXIF:  # it begins with the offset of the TIFF structure (ISO/IEC 23008-12, annex A)
            content = strip_exif_header(content[4 + int.from_bytes(content[:4], "big") :])
        yield kind, content


def _expand_brotli(data: bytes) -> bytes:
    try:
        return bytes(load_extra(SkipReason.NEEDS_JXL).brotli_decode(data, out=_MAX_BROTLI_BYTES))
    except Exception:  # damaged, larger, or the extra is missing, which decoding such a photo needs as well
        return b""


def _find_extents(read: Reader, size: int) -> Iterator[tuple[BlockKind | None, list[_Extent]]]:
    """Yield the extents of each block, and its kind; None for a compressed box, whose kind is its first four bytes."""
    has_meta = False
    for kind, start, end in iter_boxes(read, 0, size, _MAX_BOXES):
        if kind == b"meta" and not has_meta and end - start <= _MAX_META_BYTES:
            has_meta = True  # a file has one at most; parsing each of many would take minutes
            yield from _find_heif_extents(read, read(start, end - start))
        elif kind == b"uuid" and read(start, 16) == _XMP_UUID:
            yield BlockKind.XMP, [(read, start + 16, max(end - start - 16, 0))]
        elif kind in _JXL_BOXES:
            yield _JXL_BOXES[kind], [(read, start, end - start)]
        elif kind == b"brob" and read(start, 4) in _JXL_BOXES:
            yield None, [(read, start, end - start)]


def _find_heif_extents(read: Reader, meta: bytes) -> Iterator[tuple[BlockKind, list[_Extent]]]:
    """Yield the kind and the extents of each item with metadata in the content of a "meta" box."""
    inside = bytes_reader(meta)
    boxes = {kind: (start, end) for kind, start, end in iter_boxes(inside, 4, len(meta), _MAX_BOXES)}
    if not {b"iinf", b"iloc"} <= boxes.keys():
        return
    kinds = dict(_read_item_kinds(meta, *boxes[b"iinf"]))
    for item, method, extents in _read_item_locations(meta[slice(*boxes[b"iloc"])]):
        if item not in kinds:
            continue
        if method == 0:
            yield kinds[item], [(read, at, length) for at, length in extents]
        elif method == 1 and b"idat" in boxes:
            start, end = boxes[b"idat"]
            yield kinds[item], [(inside, start + at, max(min(length, end - start - at), 0)) for at, length in extents]


def _read_item_kinds(meta: bytes, start: int, end: int) -> Iterator[tuple[int, BlockKind]]:
    """Yield the id and kind of the items that the "iinf" box declares as XMP or EXIF."""
    if start == end:
        raise struct.error("the item info box is empty")
    first = start + (6 if meta[start] == 0 else 8)  # version, flags, count
    for kind, at, stop in iter_boxes(bytes_reader(meta), first, end, _MAX_BOXES):
        if kind == b"infe" and at < stop and meta[at] in (2, 3):
            item, item_type, content_type = _parse_item_info(meta[at:stop])
            if content_type == b"application/rdf+xml":
                yield item, BlockKind.XMP
            elif item_type == b"Exif":
                yield item, BlockKind.EXIF


def _parse_item_info(entry: bytes) -> tuple[int, bytes, bytes]:
    """Return the item id of an "infe" box of version 2 or 3, its type, and its MIME type (b"" if it has none)."""
    id_size = 4 if entry[0] == 3 else 2
    item = int.from_bytes(entry[4 : 4 + id_size], "big")
    rest = entry[6 + id_size :]  # after the protection index
    _, _, after_name = rest[4:].partition(b"\0")
    return item, rest[:4], after_name.partition(b"\0")[0] if rest[:4] == b"mime" else b""


def _read_item_locations(iloc: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield (item id, construction method, [(offset, length) of each extent])."""
    version, sizes = struct.unpack_from(">B3xH", iloc)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    at = 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(iloc):
            raise struct.error("the item location box ends too early")
        at += size
        return int.from_bytes(iloc[at - size : at], "big")

    for _ in range(min(number(4 if version == 2 else 2), _MAX_ITEMS)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)  # data reference: always this file
        base, extents = number(base_size), []
        for _ in range(min(number(2), _MAX_EXTENTS)):
            if version and index_size:
                number(index_size)
            extents.append((base + number(offset_size), number(length_size)))
        yield item, method, extents
