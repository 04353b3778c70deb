"""Metadata in the segments of JPEG files (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faceclust.photos.iptc import find_iptc_record
from faceclust.photos.iso_boxes import Reader
from faceclust.photos.metadata_blocks import PHOTOSHOP_HEADER, Block, BlockKind, classify_block

_MAX_SEGMENTS = 100_000
_MAX_STRAY_BYTES = 1_000_000
_STRAY_STEP = 256
_MARKER = re.compile(rb"\xff[^\0\xff]", re.DOTALL)
_EXTENDED_XMP_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
#: The property of a packet with the GUID of its overflow (Adobe's XMP specification, part 3).
_EXTENDED_XMP_GUID = re.compile(rb"""HasExtendedXMP\s*(?:=\s*["']|>)\s*([^\s"'<>]{32})""")
_APP1, _APP13, _SOS, _EOI = 0xE1, 0xED, 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))


def iter_jpeg_blocks(read: Reader, start: int, max_bytes: int) -> Iterator[Block]:
    """Yield the blocks before the picture, up to `max_bytes` together. `start`: offset of the JPEG.

    An extended packet, the overflow of another one, and Photoshop's resources may take several segments.
    """
    packets: list[bytes] = []
    extended: dict[bytes, dict[int, bytes]] = {}
    resources: list[bytes] = []
    for content in _iter_segments(read, start + 2, max_bytes):
        if content.startswith(_EXTENDED_XMP_HEADER):
            part = content[len(_EXTENDED_XMP_HEADER) :]
            extended.setdefault(part[:32], {})[int.from_bytes(part[36:40], "big")] = part[40:]
        elif content.startswith(PHOTOSHOP_HEADER):
            resources.append(content[len(PHOTOSHOP_HEADER) :])
        elif block := classify_block(content):
            yield block
            packets += [block[1]] if block[0] is BlockKind.XMP else []
    if resources:
        yield BlockKind.IPTC, find_iptc_record(b"".join(resources))
    current = {found[1] for packet in packets for found in _EXTENDED_XMP_GUID.finditer(packet)}
    for guid, parts in extended.items():
        if guid in current:  # the others belong to an earlier version
            yield BlockKind.XMP, b"".join(parts[start] for start in sorted(parts))


def _iter_segments(read: Reader, at: int, max_bytes: int) -> Iterator[bytes]:
    """Yield the contents of the segments with metadata, and end at the picture or the end of the file."""
    total = 0
    for _ in range(_MAX_SEGMENTS):
        marker = _find_marker(read, at)
        if marker is None:
            return
        at, head = marker, read(marker, 4)
        if len(head) < 4 or head[1] in (_SOS, _EOI):
            return
        if head[1] in _WITHOUT_LENGTH:
            at += 2
            continue
        length = int.from_bytes(head[2:], "big")
        if head[1] in (_APP1, _APP13) and length > 2 and (total := total + length) <= max_bytes:
            yield read(at + 4, length - 2)
        at += 2 + length


def _find_marker(read: Reader, at: int) -> int | None:
    """Return the offset of the next marker; None if it is too far away.

    Decoders skip any other bytes, and 0xFF before a marker.
    """
    for first in range(at, at + _MAX_STRAY_BYTES, _STRAY_STEP):
        stray = read(first, _STRAY_STEP + 1)
        if found := _MARKER.search(stray):
            return first + found.start()
        if len(stray) <= _STRAY_STEP:
            break
    return None
