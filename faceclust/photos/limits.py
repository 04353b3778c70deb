"""Limits on picture sizes, checked against the declared size before memory is allocated."""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.photos.iso_boxes import bytes_reader, iter_boxes
from faceclust.types import SkipReason

MAX_PIXELS = 250_000_000
#: The limit for formats whose decoders need up to 15 bytes a pixel, or always allocate the
#: declared size.
MAX_PIXELS_MEMORY_HEAVY = 100_000_000
_MEMORY_HEAVY_FORMATS = (Format.WEBP, Format.AVIF, Format.JXL)
#: Pixels of the shorter side; smaller pictures are icons or thumbnails, not photos.
MIN_SIDE = 128
#: Decoding each scan of a progressive JPEG visits the whole picture; encoders write about ten.
MAX_SCANS = 64
#: Run-length encoded bitmaps decode slowly, and no camera writes them.
MAX_RLE_PIXELS = 25_000_000

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOF_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SOS, _EOI = 0xDA, 0xD9
_RLE_COMPRESSIONS = (1, 2)
_MAX_BOXES = 64
#: Items in a HEIF file, and bytes of the type and name of each. Sizes in the file may overlap.
_MAX_ITEMS, _MAX_ITEM_TEXT = 10_000, 4096
_ITEM_INFO_ENTRY = re.compile(rb"infe[\x02\x03]")


def check_picture_size(width: int, height: int, format: Format | None = None) -> None:
    """Raise UndecodableError if a picture is too large to decode or too small to be a photo."""
    limit = MAX_PIXELS_MEMORY_HEAVY if format in _MEMORY_HEAVY_FORMATS else MAX_PIXELS
    if width * height > limit:
        raise UndecodableError(SkipReason.TOO_LARGE, f"{width}×{height} pixels, the limit is {limit:,}")
    if min(width, height) < MIN_SIDE:
        detail = f"{width}×{height} pixels, the shorter side must have at least {MIN_SIDE}"
        raise UndecodableError(SkipReason.TOO_SMALL, detail)


def reject_decompression_bombs(data: bytes, format: Format) -> None:
    """Raise UndecodableError for a file that would cost its decoder excessive time or memory.

    Only what shows before decoding is checked.
    """
    if reject := _BOMB_CHECKS.get(format):
        reject(data)


def _reject_large_webp(data: bytes) -> None:
    if size := _read_webp_size(data):
        check_picture_size(*size, Format.WEBP)


def _reject_many_scans(data: bytes) -> None:
    if _count_scans(data) > MAX_SCANS:
        raise UndecodableError(SkipReason.TOO_LARGE, f"a JPEG with more than {MAX_SCANS} scans")


def _reject_large_rle_bitmap(data: bytes) -> None:
    if len(data) > 34 and struct.unpack_from("<I", data, 30)[0] in _RLE_COMPRESSIONS:
        width, height = struct.unpack_from("<ii", data, 18)
        if abs(width * height) > MAX_RLE_PIXELS or len(data) > MAX_RLE_PIXELS:
            raise UndecodableError(SkipReason.TOO_LARGE, "a large bitmap with run-length encoding")


def _reject_broken_items(data: bytes) -> None:
    """Raise UndecodableError if an item type is not text, on which libheif's binding crashes."""
    for kind, start, end in iter_boxes(bytes_reader(data), 0, len(data), _MAX_BOXES):
        if kind != b"meta":
            continue
        for number, entry in enumerate(_ITEM_INFO_ENTRY.finditer(data, start, end)):
            box, first = entry.start() - 4, entry.start() + (12 if entry[0][4] == 2 else 14)
            size = int.from_bytes(data[box : entry.start()], "big")
            if number == _MAX_ITEMS or not _is_valid_item_type(data[first : min(box + size, first + _MAX_ITEM_TEXT)]):
                raise UndecodableError(SkipReason.TRUNCATED, "a HEIF file with damaged items")


def _is_valid_item_type(type_and_name: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(type_and_name, final=len(type_and_name) < _MAX_ITEM_TEXT)
    except UnicodeDecodeError:
        return False
    return type_and_name[:4].isascii()


_BOMB_CHECKS: dict[Format, Callable[[bytes], None]] = {
    Format.WEBP: _reject_large_webp,
    Format.JPEG: _reject_many_scans,
    Format.HEIF: _reject_broken_items,
    Format.BMP: _reject_large_rle_bitmap,
}


def _read_webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height declared in the first chunk, None if it has none."""
    if len(data) < 30:
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _count_scans(data: bytes) -> int:
    """Count the scans of a progressive JPEG, up to one above the limit; 0 for other JPEGs."""
    progressive, scans, at = False, 0, 2
    while scans <= MAX_SCANS and (found := _MARKER.search(data, at)):
        marker, at = data[found.start() + 1], found.end()
        if marker == _EOI:
            break
        if marker == _SOS:
            scans += progressive
            if not progressive:
                break
        progressive |= marker in _SOF_PROGRESSIVE
        # Skip the rest of the segment, whose bytes are never markers.
        at += int.from_bytes(data[at : at + 2], "big")
    return scans
