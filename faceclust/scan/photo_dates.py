"""Find the date of a photo whose EXIF has none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from faceclust.photos.embedded_metadata import EmbeddedMetadata
from faceclust.scan.sidecar_facts import read_sidecar_facts
from faceclust.scan.takeout_dates import read_takeout_date
from faceclust.text.dates import parse_name_date
from faceclust.types import Metadata
from faceclust.xmp.dates import read_date
from faceclust.xmp.packet import BadPacketError


def add_date(metadata: Metadata, path: Path, read_embedded: Callable[[], EmbeddedMetadata]) -> Metadata:
    """Return the metadata of the photo at `path` with a date, if it has none and another source does.

    The sources and their precedence are those of `types.DATE_SOURCES`. The position of satellites
    comes with a date as well, but in UTC: the day itself may be wrong.
    """
    if metadata.taken_at:
        return metadata
    found = next(((date, source) for source, date in _iter_dates(path, read_embedded) if date), (None, None))
    return replace(metadata, taken_at=found[0], taken_at_source=found[1])


def _iter_dates(path: Path, read_embedded: Callable[[], EmbeddedMetadata]) -> Iterable[tuple[str, datetime | None]]:
    yield "sidecar", read_sidecar_facts(path).taken_at
    embedded = read_embedded()
    yield from (("xmp", _read_packet_date(packet)) for packet in embedded.xmp)
    yield "iptc", embedded.iptc_date
    yield "png", embedded.png_date
    yield "name", parse_name_date(path.name)
    yield "takeout", read_takeout_date(path)


def _read_packet_date(packet: bytes) -> datetime | None:
    with contextlib.suppress(BadPacketError):
        return read_date(packet)
    return None
