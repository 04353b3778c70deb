"""Metadata inside photos, found without decoding the pictures: EXIF, XMP, IPTC, and the texts of PNG files.

The location in each format follows Adobe's XMP specification, part 3 (2020), and what exiftool reads.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format
from faceclust.photos.iptc import find_iptc_record, read_iptc_date, read_iptc_keywords
from faceclust.photos.iso_boxes import Reader, bytes_reader
from faceclust.photos.iso_metadata import iter_iso_blocks
from faceclust.photos.jpeg_metadata import iter_jpeg_blocks
from faceclust.photos.metadata_blocks import Block, BlockKind, strip_exif_header
from faceclust.photos.png_metadata import iter_png_blocks
from faceclust.photos.reading import open_photo
from faceclust.photos.tiff_directory import byte_order, read_first_directory
from faceclust.text.dates import parse_date

#: Larger blocks are ignored. The limit counts all blocks of a photo.
MAX_BLOCK_BYTES = 32_000_000
_MAX_CHUNKS = 100_000
_MAX_EXIF_BLOCKS = 2  # each is parsed, and cameras write one
_MAX_SUB_BLOCKS = 200_000  # of a GIF, 255 bytes at most each
_PREFETCH_BYTES = 1 << 16  # covers everything before the picture in most JPEGs

_ORIENTATION, _XMP, _IPTC, _PHOTOSHOP, _XP_KEYWORDS = 0x0112, 700, 33723, 34377, 0x9C9E  # tags
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\b""")
_RAF_SIGNATURE = b"FUJIFILMCCD-RAW"


@dataclass(frozen=True)
class EmbeddedMetadata:
    """The blocks of metadata in a photo, in the order of the file; most photos have none or one of each.

    `exif` are TIFF structures. A TIFF or RAW file, which is one itself, has none here. `xmp` are
    packets; a JPEG may have a second one with the overflow of the first. `iptc` are records.
    """

    exif: tuple[bytes, ...] = ()
    xmp: tuple[bytes, ...] = ()
    iptc: tuple[bytes, ...] = ()
    windows_keywords: tuple[str, ...] = ()
    creation_times: tuple[str, ...] = ()

    @property
    def iptc_keywords(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(keyword for record in self.iptc for keyword in read_iptc_keywords(record)))

    @property
    def iptc_date(self) -> datetime | None:
        return next(filter(None, map(read_iptc_date, self.iptc)), None)

    @property
    def png_date(self) -> datetime | None:
        """The date in a PNG's text "Creation Time"."""
        return next(filter(None, map(parse_date, self.creation_times)), None)

    @cached_property
    def orientation(self) -> int:
        """The EXIF orientation, else that in the XMP packets; 1 without one."""
        for block in self.exif:
            if value := _read_directory(block, _ORIENTATION).get(_ORIENTATION):
                number = int.from_bytes(value, "little" if byte_order(block) == "<" else "big")
                return number if 1 <= number <= 8 else 1
        found = next(filter(None, map(_XMP_ORIENTATION.search, self.xmp)), None)
        return int(found[1]) if found else 1


def find_metadata(data: bytes) -> EmbeddedMetadata:
    """Return the metadata in a photo file's bytes."""
    return _collect(bytes_reader(data), data[:HEAD_BYTES], len(data))


def read_embedded_metadata(path: Path) -> EmbeddedMetadata:
    """Return the metadata in a photo, reading no more of the file than necessary.

    Damaged files have what lies before the damage, unsupported formats have nothing. Raises OSError:
    UnsafeFileError for anything but a regular file.
    """
    with open_photo(path) as stream:
        file = stream.fileno()
        size = os.fstat(file).st_size
        ahead = os.read(file, _PREFETCH_BYTES)

        def read(at: int, count: int) -> bytes:
            if at + count <= len(ahead):
                return ahead[at : at + count]
            if count > MAX_BLOCK_BYTES or at >= size:
                return b""
            os.lseek(file, at, os.SEEK_SET)
            return os.read(file, count)

        return _collect(read, ahead[:HEAD_BYTES], size)


def _collect(read: Reader, head: bytes, size: int) -> EmbeddedMetadata:
    blocks: list[Block] = []
    with contextlib.suppress(struct.error, OverflowError, ValueError, IndexError):  # truncated or damaged
        blocks.extend(_iter_blocks(read, head, size))  # those before the damage are kept
    found = {
        kind: [content for one, content in blocks if one is kind and content.strip(b"\0 \t\r\n")] for kind in BlockKind
    }
    exif = found[BlockKind.EXIF][:_MAX_EXIF_BLOCKS]
    windows = found[BlockKind.WINDOWS_KEYWORDS] + [
        _read_directory(one, _XP_KEYWORDS).get(_XP_KEYWORDS, b"") for one in exif
    ]
    return EmbeddedMetadata(
        exif=tuple(exif),
        xmp=tuple(found[BlockKind.XMP]),
        iptc=tuple(found[BlockKind.IPTC]),
        windows_keywords=tuple(
            dict.fromkeys(keyword for each in windows for keyword in _decode_windows_keywords(each))
        ),
        creation_times=tuple(text.decode("utf-8", "replace") for text in found[BlockKind.CREATION_TIME]),
    )


def _iter_blocks(read: Reader, head: bytes, size: int) -> Iterator[Block]:
    try:
        format = detect_format(head)
    except UndecodableError:
        return
    if format is Format.JPEG:
        yield from iter_jpeg_blocks(read, 0, MAX_BLOCK_BYTES)
    elif format is Format.PNG:
        yield from iter_png_blocks(read, MAX_BLOCK_BYTES)
    elif format is Format.WEBP:
        yield from _iter_webp_blocks(read)
    elif format is Format.GIF:
        yield from _iter_gif_blocks(read)
    elif head[4:8] == b"ftyp" or format is Format.JXL:
        yield from iter_iso_blocks(read, size, MAX_BLOCK_BYTES)
    elif head[:2] in (b"II", b"MM"):  # TIFF, DNG and most RAW formats
        yield from _iter_tiff_blocks(read)
    elif head.startswith(_RAF_SIGNATURE):  # its metadata are in the preview, a JPEG
        yield from iter_jpeg_blocks(read, int.from_bytes(read(84, 4), "big"), MAX_BLOCK_BYTES)


def _iter_webp_blocks(read: Reader) -> Iterator[Block]:
    at, left = 12, MAX_BLOCK_BYTES
    for _ in range(_MAX_CHUNKS):
        kind, length = struct.unpack("<4sI", read(at, 8))
        if kind in (b"XMP ", b"XMP\0", b"EXIF"):
            left -= length
            if left < 0:
                return
            content = read(at + 8, length)
            yield (BlockKind.EXIF, strip_exif_header(content)) if kind == b"EXIF" else (BlockKind.XMP, content)
        at += 8 + length + length % 2


def _iter_tiff_blocks(read: Reader) -> Iterator[Block]:
    found = read_first_directory(read, (_XMP, _IPTC, _PHOTOSHOP, _XP_KEYWORDS), MAX_BLOCK_BYTES // 4)
    yield BlockKind.XMP, found.get(_XMP, b"")
    yield BlockKind.IPTC, found.get(_IPTC, b"") or find_iptc_record(found.get(_PHOTOSHOP, b""))
    yield BlockKind.WINDOWS_KEYWORDS, found.get(_XP_KEYWORDS, b"")


def _iter_gif_blocks(read: Reader) -> Iterator[Block]:
    """Yield the packets in application extensions, which lie there as plain text before a trailer of 258 bytes."""

    def after_table(at: int) -> int:
        flags = read(at, 1)[0]
        return (3 << (flags & 7) + 1) if flags & 0x80 else 0

    at, left, sub_blocks = 13 + after_table(10), MAX_BLOCK_BYTES, iter(range(_MAX_SUB_BLOCKS))
    for _ in range(_MAX_CHUNKS):
        head = read(at, 14)
        is_packet = head[:2] == b"!\xff" and head[2:] == b"\x0bXMP DataXMP"
        if head[:1] == b"!":
            at += 14 if is_packet else 2
        elif head[:1] == b",":
            at += 11 + after_table(at + 9)
        else:
            return
        start = at
        for _ in sub_blocks:
            length = read(at, 1)[0]
            at += 1 + length
            if not length:
                break
        else:
            return
        if is_packet and (left := left - (at - start)) >= 0:
            yield BlockKind.XMP, read(start, at - start)[:-258]


def _read_directory(block: bytes, *tags: int) -> dict[int, bytes]:
    try:
        return read_first_directory(bytes_reader(block), tags, len(block))
    except (struct.error, OverflowError, ValueError):
        return {}


def _decode_windows_keywords(raw: bytes) -> list[str]:
    """Decode the keywords that Windows writes into EXIF: UTF-16, separated by semicolons."""
    text = raw.decode("utf-16-le", "replace").partition("\0")[0]
    return [keyword.strip() for keyword in text.split(";") if keyword.strip()]
