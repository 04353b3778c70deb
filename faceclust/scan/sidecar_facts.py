"""Facts about a photo in the XMP sidecar beside it, which other programs write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceclust.files.own_files import read_own
from faceclust.xmp.dates import read_date
from faceclust.xmp.packet import MAX_PACKET_BYTES, BadPacketError
from faceclust.xmp.read import read_packet


@dataclass(frozen=True)
class SidecarFacts:
    """The date of a photo and the EXIF orientation of the stored picture, None if the sidecar lacks them."""

    taken_at: datetime | None = None
    orientation: int | None = None


def read_sidecar_facts(photo: Path) -> SidecarFacts:
    """Read the sidecars of a photo: `photo.jpg.xmp`, which takes precedence, and `photo.xmp`.

    Never raises: symlinks, huge files and damaged packets have no facts.
    """
    facts = SidecarFacts()
    for data in _read_sidecars(photo):
        with contextlib.suppress(BadPacketError):
            facts = SidecarFacts(facts.taken_at or read_date(data), facts.orientation or read_packet(data).orientation)
    return facts


def _read_sidecars(photo: Path) -> Iterator[bytes]:
    for path in (photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp")):
        for spelling in (path, path.with_suffix(".XMP")):
            with contextlib.suppress(OSError, ValueError):
                yield read_own(spelling, MAX_PACKET_BYTES)
                break
