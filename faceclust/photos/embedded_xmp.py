"""XMP packets inside photos, found without reading the pictures.

Where each format keeps its packet is said by Adobe's XMP specification, part 3 (2020).
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD, Format, recognise
from faceclust.photos.iso_boxes import iso_packets
from faceclust.photos.reading import opened

#: More is no packet. Several parts of one count together, and so do several packets in boxes.
MOST_BYTES = 32_000_000
_MOST_PARTS = 100_000
_AHEAD = 1 << 16  # bytes: of most JPEGs, all that comes before the picture

_MAIN, _MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_IN_PNG = b"XML:com.adobe.xmp\0"
_TIFF_XMP, _TIFF_KINDS = 700, {1: 1, 7: 1}  # tag; kinds of value (bytes) and their size

#: Gives `count` bytes from an offset on, fewer at the file's end.
Reader = Callable[[int, int], bytes]


def embedded_packets(path: Path) -> list[bytes]:
    """The XMP packets in a photo: none or one, of a JPEG perhaps a second with what did not fit into
    the first. What is no photo, or of a format that is not looked into, has none. Raises OSError."""
    with opened(path) as file:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return []
        ahead = os.read(file, _AHEAD)

        def read(at: int, count: int) -> bytes:
            if at + count <= len(ahead):
                return ahead[at : at + count]
            if count > MOST_BYTES:
                return b""
            os.lseek(file, at, os.SEEK_SET)
            return os.read(file, count)

        try:
            packets = list(_packets(read, ahead[:HEAD], status.st_size))
        except (struct.error, zlib.error, OverflowError, ValueError, IndexError):  # it ends too soon, or lies
            return []
    return [packet for packet in packets if packet.strip(b"\0 \t\r\n")]


def _packets(read: Reader, head: bytes, size: int) -> Iterator[bytes]:
    try:
        format = recognise(head)
    except UndecodableError:
        return
    if format is Format.JPEG:
        yield from _in_jpeg(read)
    elif format is Format.PNG:
        yield from _in_png(read)
    elif format is Format.WEBP:
        yield from _in_webp(read)
    elif head[4:8] == b"ftyp" or format is Format.JXL:
        yield from iso_packets(read, size, MOST_BYTES)
    elif head[:2] in (b"II", b"MM"):  # TIFF, DNG, and most cameras' own formats
        yield from _in_tiff(read)


def _in_jpeg(read: Reader) -> Iterator[bytes]:
    main, more = b"", dict[bytes, dict[int, bytes]]()
    at, total = 2, 0
    for _ in range(_MOST_PARTS):
        marker, code, length = struct.unpack(">BBH", read(at, 4))
        if marker != 0xFF or code in (0xDA, 0xD9):  # the picture begins, or it is over
            break
        if code == 0xFF:  # padding
            at += 1
            continue
        if code == 0xE1 and (total := total + length) <= MOST_BYTES:
            content = read(at + 4, length - 2)
            if content.startswith(_MAIN) and not main:
                main = content[len(_MAIN) :]
            elif content.startswith(_MORE):
                rest = content[len(_MORE) :]
                more.setdefault(rest[:32], {})[int.from_bytes(rest[36:40], "big")] = rest[40:]
        at += 2 + length
    if main:
        yield main
    for guid, parts in more.items():
        if guid in main:  # the specification wants others passed by: they are of an earlier version
            yield b"".join(parts[start] for start in sorted(parts))


def _in_png(read: Reader) -> Iterator[bytes]:
    at = 8
    for _ in range(_MOST_PARTS):
        length, kind = struct.unpack(">I4s", read(at, 8))
        if kind == b"IEND":
            return
        if kind == b"iTXt" and read(at + 8, len(_IN_PNG)) == _IN_PNG:
            yield _text(read(at + 8, length))
            return
        at += 12 + length


def _text(chunk: bytes) -> bytes:
    """The text of an iTXt chunk, after keyword, two flags, language and translated keyword."""
    flags, rest = chunk[len(_IN_PNG) : len(_IN_PNG) + 2], chunk[len(_IN_PNG) + 2 :]
    text = rest.partition(b"\0")[2].partition(b"\0")[2]
    if flags[:1] == b"\1":
        text = zlib.decompressobj().decompress(text, MOST_BYTES + 1)
    return text if len(text) <= MOST_BYTES else b""


def _in_webp(read: Reader) -> Iterator[bytes]:
    at = 12
    for _ in range(_MOST_PARTS):
        kind, length = struct.unpack("<4sI", read(at, 8))
        if kind == b"XMP ":
            yield read(at + 8, length)
            return
        at += 8 + length + length % 2


def _in_tiff(read: Reader) -> Iterator[bytes]:
    head = read(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    large = head[2:4] in (b"+\0", b"\0+")  # BigTIFF
    number, offset, width = ("Q", "Q", 20) if large else ("H", "I", 12)
    (start,) = struct.unpack_from(order + offset, head, 8 if large else 4)
    (count,) = struct.unpack(order + number, read(start, struct.calcsize(order + number)))
    entries = read(start + struct.calcsize(order + number), width * min(count, 4096))
    for entry in range(0, len(entries) - width + 1, width):
        tag, kind, length = struct.unpack_from(order + "HH" + offset, entries, entry)
        if tag == _TIFF_XMP and kind in _TIFF_KINDS:
            (at,) = struct.unpack_from(order + offset, entries, entry + width - struct.calcsize(offset))
            yield read(at, length)
            return
