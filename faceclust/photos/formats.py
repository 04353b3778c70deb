"""Detect file formats by content; file names are not trusted."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum

from faceclust.photos.errors import UndecodableError
from faceclust.types import SkipReason

#: Bytes at the beginning of a file that are enough to detect its format.
HEAD_BYTES = 32


class Format(StrEnum):
    """A supported photo format. The value is Pillow's name for it, if Pillow decodes it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    TIFF = "TIFF"
    GIF = "GIF"
    BMP = "BMP"
    HEIF = "HEIF"
    AVIF = "AVIF"
    JXL = "JPEG XL"
    RAW = "RAW"


#: Formats whose decoders leave the picture as stored; the EXIF orientation, or that in XMP, turns it.
FORMATS_TURNED_BY_METADATA = (Format.JPEG, Format.PNG, Format.WEBP)

_SIGNATURES = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Format.JXL),
    (b"\xff\x0a", Format.JXL),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
    (b"II+\x00", Format.TIFF),
    (b"MM\x00+", Format.TIFF),
    (b"FUJIFILMCCD-RAW", Format.RAW),
    (b"IIRO", Format.RAW),  # Olympus
    (b"IIRS", Format.RAW),
    (b"MMOR", Format.RAW),
    (b"IIU\x00", Format.RAW),  # Panasonic
)
#: Brands of ISO base media files, a container for photos, videos and more.
_BRANDS = (
    dict.fromkeys((b"avif", b"avis"), Format.AVIF)
    | dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), Format.HEIF)
    | {b"crx ": Format.RAW}
)
_GENERIC_BRANDS = (b"mif1", b"msf1", b"mif2")  # pictures of any codec
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes

_OTHER_SIGNATURES = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"FLV\x01", "a Flash video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"\x00\x00\x01\xb3", "an MPEG video"),
    (b"8BPS", "a Photoshop document"),
    (b"%!PS", "a PostScript document"),
    (b"\x00\x05\x16\x07", "a macOS resource file"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture, which faceclust cannot read"),
    (b"SQLite format 3", "a database"),
    (b"ID3", "music"),
    (b"OggS", "an Ogg sound or video"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_MARKUP = (
    ((b"<!doctype html", b"<html", b"<head", b"<!--"), "a web page (HTML)"),
    ((b"<svg", b"<?xml"), "an SVG drawing or another XML file"),
)

_SUB_IFDS, _PHOTOMETRIC, _DNG_VERSION = 330, 262, 50706
_RAW_PHOTOMETRICS = (32803, 34892)  # photometric interpretations: colour filter array, linear raw
_MAX_IFDS, _MAX_TAGS = 32, 512


def detect_format(head: bytes) -> Format:
    """Return the photo format of a file that begins with `head` (HEAD_BYTES, or the whole file).

    TIFF includes the RAW formats built on it (see `is_raw_tiff`). Raises UndecodableError, whose
    message names what the file is instead, if that is known.
    """
    if format := _match_signature(head) or _match_iso_brand(head):
        return format
    if not head:
        raise UndecodableError(SkipReason.EMPTY, "the file has no bytes")
    raise UndecodableError(SkipReason.NOT_A_PHOTO, describe_content(head))


def _match_signature(head: bytes) -> Format | None:
    for signature, format in _SIGNATURES:
        if head.startswith(signature):
            return format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[:2] == b"BM" and len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in _BMP_HEADER_SIZES:
        return Format.BMP
    return None


def _match_iso_brand(head: bytes) -> Format | None:
    if head[4:8] != b"ftyp":
        return None
    brands = [head[at : at + 4] for at in (8, *range(16, len(head) - 3, 4))]
    known = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    return known or (Format.HEIF if any(brand in _GENERIC_BRANDS for brand in brands) else None)


def has_photo_signature(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a photo."""
    try:
        detect_format(head)
    except UndecodableError:
        return False
    return True


def is_raw_tiff(data: bytes) -> bool:
    """Return whether a TIFF holds sensor data (DNG, CR2, NEF, ARW, PEF …), not a finished picture."""
    if data[8:10] == b"CR":
        return True
    try:
        for number, tags in enumerate(_iter_ifds(data)):
            if tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRICS or (number == 0 and _DNG_VERSION in tags):
                return True
    except struct.error:  # truncated, or an offset beyond the end
        pass
    return False


def _iter_ifds(data: bytes) -> Iterator[dict[int, int]]:
    """Yield {tag: value or offset} of each directory of a TIFF, sub-directories included.

    Directories and tags are limited, so that damaged or hostile counts cost no time. Raises
    struct.error.
    """
    order = "<" if data[:2] == b"II" else ">"
    waiting, seen = [struct.unpack_from(order + "I", data, 4)[0]], set[int]()
    while waiting and len(seen) < _MAX_IFDS:
        start = waiting.pop(0)
        if not start or start in seen:
            continue
        seen.add(start)
        count = min(struct.unpack_from(order + "H", data, start)[0], _MAX_TAGS)
        tags, sub_ifds = _read_ifd(data, order, start + 2, count)
        waiting += sub_ifds
        yield tags
        waiting += struct.unpack_from(order + "I", data, start + 2 + 12 * count)


def _read_ifd(data: bytes, order: str, start: int, count: int) -> tuple[dict[int, int], tuple[int, ...]]:
    """Return the tags of a directory with `count` entries, and the offsets of its sub-directories."""
    tags: dict[int, int] = {}
    sub_ifds: tuple[int, ...] = ()
    for entry in range(start, start + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, entry)
        tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0]
        if tag == _SUB_IFDS and values > 1:
            sub_ifds += struct.unpack_from(f"{order}{min(values, _MAX_IFDS)}I", data, tags[tag])
        elif tag == _SUB_IFDS:
            sub_ifds += (tags[tag],)
    return tags, sub_ifds


def describe_content(head: bytes) -> str:
    """Say what a file that begins with `head`, and is no photo, is instead."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "it is a QuickTime video" if head[8:12] == b"qt  " or head[4:8] != b"ftyp" else "it is an MP4 video"
    if head[:4] == b"RIFF":
        return "it is an AVI video" if head[8:12] == b"AVI " else "it is a sound or another RIFF file"
    for signature, name in _OTHER_SIGNATURES:
        if head.startswith(signature):
            return f"it is {name}"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginnings, name in _MARKUP:
        if text.startswith(beginnings):
            return f"it is {name}"
    if not any(head):
        return "it begins with zeros only, like a file that was not copied completely"
    return "its format is not an image format that faceclust reads"
