"""XMP packets inside photos, found without decoding the pictures.

Their location in each format follows Adobe's XMP specification, part 3 (2020).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format
from faceclust.photos.iso_boxes import Reader
from faceclust.photos.iso_xmp import find_iso_packets
from faceclust.photos.reading import open_photo

#: Larger packets are ignored. The limit counts all parts of a packet, and all packets in ISO boxes.
MAX_PACKET_BYTES = 32_000_000
_MAX_SEGMENTS = 100_000
_PREFETCH_BYTES = 1 << 16  # covers everything before the picture in most JPEGs

_STANDARD_XMP_HEADER, _EXTENDED_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_PNG_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_TIFF_XMP_TAG, _TIFF_BYTE_TYPES = 700, (1, 7)  # BYTE and UNDEFINED
_APP1, _SOS, _EOI = 0xE1, 0xDA, 0xD9


def read_embedded_packets(path: Path) -> list[bytes]:
    """Return the XMP packets in a photo.

    Most photos have none or one; a JPEG may have a second one with the overflow of the first.
    Damaged files and unsupported formats have none. Raises OSError: UnsafeFileError for anything but a
    regular file.
    """
    with open_photo(path) as stream:
        file = stream.fileno()
        size = os.fstat(file).st_size
        ahead = os.read(file, _PREFETCH_BYTES)

        def read(at: int, count: int) -> bytes:
            if at + count <= len(ahead):
                return ahead[at : at + count]
            if count > MAX_PACKET_BYTES:
                return b""
            os.lseek(file, at, os.SEEK_SET)
            return os.read(file, count)

        try:
            packets = list(_read_packets_by_format(read, ahead[:HEAD_BYTES], size))
        except (struct.error, zlib.error, OverflowError, ValueError, IndexError):  # truncated or damaged
            return []
    return [packet for packet in packets if packet.strip(b"\0 \t\r\n")]


def _read_packets_by_format(read: Reader, head: bytes, size: int) -> Iterator[bytes]:
    try:
        format = detect_format(head)
    except UndecodableError:
        return
    if format is Format.JPEG:
        yield from _read_jpeg_packets(read)
    elif format is Format.PNG:
        yield from _read_png_packets(read)
    elif format is Format.WEBP:
        yield from _read_webp_packets(read)
    elif head[4:8] == b"ftyp" or format is Format.JXL:
        yield from find_iso_packets(read, size, MAX_PACKET_BYTES)
    elif head[:2] in (b"II", b"MM"):  # TIFF, DNG and most RAW formats
        yield from _read_tiff_packets(read)


def _read_jpeg_packets(read: Reader) -> Iterator[bytes]:
    main, extended = b"", dict[bytes, dict[int, bytes]]()
    for content in _iter_app1_segments(read):
        if content.startswith(_STANDARD_XMP_HEADER) and not main:
            main = content[len(_STANDARD_XMP_HEADER) :]
        elif content.startswith(_EXTENDED_XMP_HEADER):
            part = content[len(_EXTENDED_XMP_HEADER) :]
            extended.setdefault(part[:32], {})[int.from_bytes(part[36:40], "big")] = part[40:]
    if main:
        yield main
    for guid, parts in extended.items():
        if guid in main:  # the specification has others ignored, as they belong to an earlier version
            yield b"".join(parts[start] for start in sorted(parts))


def _iter_app1_segments(read: Reader) -> Iterator[bytes]:
    """Yield the contents of the APP1 segments before the picture, up to MAX_PACKET_BYTES together."""
    at, total = 2, 0
    for _ in range(_MAX_SEGMENTS):
        marker, code, length = struct.unpack(">BBH", read(at, 4))
        if marker != 0xFF or code in (_SOS, _EOI):
            return
        if code == 0xFF:  # padding
            at += 1
            continue
        if code == _APP1 and (total := total + length) <= MAX_PACKET_BYTES:
            yield read(at + 4, max(0, length - 2))
        at += 2 + length


def _read_png_packets(read: Reader) -> Iterator[bytes]:
    at = 8
    for _ in range(_MAX_SEGMENTS):
        length, kind = struct.unpack(">I4s", read(at, 8))
        if kind == b"IEND":
            return
        if kind == b"iTXt" and read(at + 8, len(_PNG_XMP_KEYWORD)) == _PNG_XMP_KEYWORD:
            yield _decode_itxt(read(at + 8, length))
            return
        at += 12 + length


def _decode_itxt(chunk: bytes) -> bytes:
    """Return the text of an iTXt chunk: it follows the keyword, two flags and two more strings."""
    flags, rest = chunk[len(_PNG_XMP_KEYWORD) : len(_PNG_XMP_KEYWORD) + 2], chunk[len(_PNG_XMP_KEYWORD) + 2 :]
    text = rest.partition(b"\0")[2].partition(b"\0")[2]
    if flags[:1] == b"\1":
        text = zlib.decompressobj().decompress(text, MAX_PACKET_BYTES + 1)
    return text if len(text) <= MAX_PACKET_BYTES else b""


def _read_webp_packets(read: Reader) -> Iterator[bytes]:
    at = 12
    for _ in range(_MAX_SEGMENTS):
        kind, length = struct.unpack("<4sI", read(at, 8))
        if kind == b"XMP ":
            yield read(at + 8, length)
            return
        at += 8 + length + length % 2


def _read_tiff_packets(read: Reader) -> Iterator[bytes]:
    head = read(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    large = head[2:4] in (b"+\0", b"\0+")  # BigTIFF
    number, offset, width = ("Q", "Q", 20) if large else ("H", "I", 12)
    (start,) = struct.unpack_from(order + offset, head, 8 if large else 4)
    (count,) = struct.unpack(order + number, read(start, struct.calcsize(order + number)))
    entries = read(start + struct.calcsize(order + number), width * min(count, 4096))
    for entry in range(0, len(entries) - width + 1, width):
        tag, kind, length = struct.unpack_from(order + "HH" + offset, entries, entry)
        if tag == _TIFF_XMP_TAG and kind in _TIFF_BYTE_TYPES:
            (at,) = struct.unpack_from(order + offset, entries, entry + width - struct.calcsize(offset))
            yield read(at, length)
            return
