"""Metadata in the chunks of PNG files.

XMP and EXIF have chunks of their own in the specification (third edition, sections 11.3.3 and 11.3.5). ImageMagick,
and exiv2 before version 0.28, write them as hexadecimal text with the keyword "Raw profile type …".
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Iterator

from faceclust.photos.iso_boxes import Reader
from faceclust.photos.metadata_blocks import Block, BlockKind, classify_block, strip_exif_header

_MAX_CHUNKS = 100_000
_MAX_KEYWORD_BYTES = 79
_MAX_RATIO = 1032  # of zlib: what is damaged or too long may have expanded so far
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_KEYWORD, _TIME_KEYWORD = b"xml:com.adobe.xmp", b"creation time"
_RAW_PROFILE = b"raw profile type "
_PROFILE_NAMES = (b"exif", b"app1", b"xmp", b"iptc", b"8bim")
_WHITESPACE = b" \t\r\n\0"


def iter_png_blocks(read: Reader, max_bytes: int) -> Iterator[Block]:
    """Yield the blocks of a PNG, `max_bytes` at most, compressed and expanded ones together.

    Raises struct.error at the end of a truncated file.
    """
    at = 8
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", read(at, 8))
        if kind == b"IEND":
            return
        keyword = _read_keyword(read, at + 8, length) if kind in _TEXT_CHUNKS else b""
        if kind == b"eXIf" or _is_wanted(keyword):
            max_bytes -= length
            if max_bytes < 0:
                return
            content = read(at + 8, length)
            text = content if kind == b"eXIf" else _decode_text(kind, content, max_bytes)
            max_bytes -= (len(text) or _MAX_RATIO * length) if kind != b"tEXt" else 0
            if block := _make_block(keyword, text):
                yield block
        at += 12 + length


def _read_keyword(read: Reader, at: int, length: int) -> bytes:
    return read(at, min(length, _MAX_KEYWORD_BYTES + 1)).partition(b"\0")[0].lower()


def _is_wanted(keyword: bytes) -> bool:
    return keyword in (_XMP_KEYWORD, _TIME_KEYWORD) or (
        keyword.startswith(_RAW_PROFILE) and keyword.removeprefix(_RAW_PROFILE) in _PROFILE_NAMES
    )


def _decode_text(kind: bytes, chunk: bytes, max_bytes: int) -> bytes:
    """Return the text of a chunk, b"" if it is damaged or longer than `max_bytes`."""
    text = chunk.partition(b"\0")[2]
    is_compressed = kind == b"zTXt"
    if is_compressed:
        text = text[1:]  # the method; there is only one
    elif kind == b"iTXt":
        is_compressed = text[:1] == b"\1"
        text = text[2:].partition(b"\0")[2].partition(b"\0")[2]  # after the language and the translated keyword
    if is_compressed:
        try:
            text = zlib.decompressobj().decompress(text, max_bytes + 1)
        except zlib.error:
            return b""
    return text if len(text) <= max_bytes else b""


def _make_block(keyword: bytes, text: bytes) -> Block | None:
    if not keyword:
        return BlockKind.EXIF, strip_exif_header(text)
    if keyword == _TIME_KEYWORD:
        return BlockKind.CREATION_TIME, text
    if keyword == _XMP_KEYWORD:
        return BlockKind.XMP, text
    content = _decode_raw_profile(text)
    return classify_block(content) or ((BlockKind.XMP, content) if keyword.endswith(b"xmp") else None)


def _decode_raw_profile(text: bytes) -> bytes:
    """Decode a profile's name, its length and its bytes as hexadecimal digits, each on lines of their own."""
    _, _, rest = text.lstrip(_WHITESPACE).partition(b"\n")
    digits = rest.lstrip(_WHITESPACE).partition(b"\n")[2].translate(None, _WHITESPACE)
    try:
        return binascii.unhexlify(digits[: len(digits) // 2 * 2])
    except binascii.Error:
        return b""
