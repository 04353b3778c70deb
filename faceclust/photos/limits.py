"""How large a picture may be. Refused by what its file declares, before room is made for it."""

from __future__ import annotations

import re
import struct

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import Format
from faceclust.types import SkipReason

MAX_PIXELS = 250_000_000
#: The same for formats whose decoders hold a picture several times over, up to 15 bytes a
#: pixel, or blow it up to the size it declares.
MAX_PIXELS_MEMORY_HEAVY = 100_000_000
_MEMORY_HEAVY_FORMATS = (Format.WEBP, Format.AVIF, Format.JXL)
#: Pixels along the shorter side from which on a picture is a photo and no icon or thumbnail.
MIN_SIDE = 128
#: Each scan of a progressive JPEG goes over the whole picture; encoders make some ten.
MAX_SCANS = 64
#: Run-length coded bitmaps are decoded slowly, and no camera makes them.
MAX_RLE_PIXELS = 25_000_000

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOF_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SOS, _EOI = 0xDA, 0xD9
_RLE_COMPRESSIONS = (1, 2)
_MAX_BOXES = 64
_ITEM_INFO_ENTRY = re.compile(rb"infe[\x02\x03]")


def check_picture_size(width: int, height: int, format: Format | None = None) -> None:
    """Raise UndecodableError unless a picture of this size is one to look for faces in."""
    limit = MAX_PIXELS_MEMORY_HEAVY if format in _MEMORY_HEAVY_FORMATS else MAX_PIXELS
    if width * height > limit:
        raise UndecodableError(SkipReason.TOO_LARGE, f"{width}×{height} pixels, the limit is {limit:,}")
    if min(width, height) < MIN_SIDE:
        raise UndecodableError(SkipReason.TOO_SMALL, f"{width}×{height} pixels, photos have {MIN_SIDE} a side or more")


def reject_decompression_bombs(data: bytes, format: Format) -> None:
    """Raise UndecodableError for a file that would keep its decoder busy or full out of all
    proportion, where that shows before the decoder is asked."""
    if format is Format.WEBP and (size := _read_webp_size(data)):
        check_picture_size(*size, format)
    if format is Format.JPEG and _count_scans(data) > MAX_SCANS:
        raise UndecodableError(SkipReason.TOO_LARGE, f"a JPEG of more than {MAX_SCANS} scans")
    if format is Format.HEIF:
        _reject_broken_items(data)
    if format is Format.BMP and len(data) > 34 and struct.unpack_from("<I", data, 30)[0] in _RLE_COMPRESSIONS:
        width, height = struct.unpack_from("<ii", data, 18)
        if abs(width * height) > MAX_RLE_PIXELS or len(data) > MAX_RLE_PIXELS:
            raise UndecodableError(SkipReason.TOO_LARGE, "a large bitmap with run-length coding")


def _reject_broken_items(data: bytes) -> None:
    """libheif's binding crashes where the kind of an item is no text."""
    at = 0
    for _ in range(_MAX_BOXES):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = at + size if size else len(data)
        if kind == b"meta":
            for item in _ITEM_INFO_ENTRY.finditer(data, at, end):
                box = int.from_bytes(data[item.start() - 4 : item.start()], "big")
                words = data[item.start() + (12 if item[0][4] == 2 else 14) : item.start() - 4 + box]
                if not _is_valid_item_type(words):
                    raise UndecodableError(SkipReason.TRUNCATED, "a HEIF file with broken items")
        if size < 8:
            break
        at = end


def _is_valid_item_type(words: bytes) -> bool:
    try:
        words.decode()
    except UnicodeDecodeError:
        return False
    return words[:4].isascii()


def _read_webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in the first chunk; None where it has none."""
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
    """How many scans a progressive JPEG has, counted to one above the limit; 0 for another JPEG."""
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
        # The rest of the segment is passed over: in it, nothing is a marker.
        at += int.from_bytes(data[at : at + 2], "big")
    return scans
