"""Blocks of metadata, as they lie in photo files of every format."""

from __future__ import annotations

from enum import Enum, auto

from faceclust.photos.iptc import find_iptc_record


class BlockKind(Enum):
    """The content of a block: a TIFF structure, an XMP packet, IPTC records, keywords in UTF-16, or a date as text."""

    EXIF = auto()
    XMP = auto()
    IPTC = auto()
    WINDOWS_KEYWORDS = auto()
    CREATION_TIME = auto()


Block = tuple[BlockKind, bytes]

EXIF_HEADER, XMP_HEADER = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*")


def strip_exif_header(block: bytes) -> bytes:
    """Return the TIFF structure of an EXIF block, which may follow one or two headers."""
    at = 0
    while block.startswith(EXIF_HEADER, at):
        at += len(EXIF_HEADER)
    return block[at:]


def classify_block(content: bytes) -> Block | None:
    """Return a block by how it begins, without its header; None if it is none of these."""
    if content.startswith((EXIF_HEADER, *_TIFF_SIGNATURES)):
        return BlockKind.EXIF, strip_exif_header(content)
    if content.startswith(XMP_HEADER):
        return BlockKind.XMP, content[len(XMP_HEADER) :]
    if content.startswith((PHOTOSHOP_HEADER, b"8BIM")):
        return BlockKind.IPTC, find_iptc_record(content.removeprefix(PHOTOSHOP_HEADER))
    if content.startswith(b"\x1c"):
        return BlockKind.IPTC, content
    return None
