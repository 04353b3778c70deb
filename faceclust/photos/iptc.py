"""Keywords and date in IPTC records (IPTC-NAA Information Interchange Model 4.2), the predecessor of XMP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from faceclust.text.dates import parse_date

_KEYWORDS, _DATE_CREATED, _TIME_CREATED = (2, 25), (2, 55), (2, 60)
_IPTC_RESOURCE = 0x0404
_MAX_DATASETS, _MAX_RESOURCES = 10_000, 1000


def find_iptc_record(resources: bytes) -> bytes:
    """Return the IPTC record among Photoshop's image resources ("8BIM"); b"" without one.

    The form is that of Adobe's Photoshop file format specification, "Image resource blocks".
    """
    at = 0
    for _ in range(_MAX_RESOURCES):
        if resources[at : at + 4] not in (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
            return b""
        kind = int.from_bytes(resources[at + 4 : at + 6], "big")
        name_length = resources[at + 6] + 1 if at + 6 < len(resources) else 1
        at += 6 + name_length + name_length % 2
        size = int.from_bytes(resources[at : at + 4], "big")
        if kind == _IPTC_RESOURCE:
            return resources[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return b""


def read_iptc_keywords(record: bytes) -> tuple[str, ...]:
    """Return the keywords of a record. A damaged record has those before the damage."""
    texts = (_decode_text(value).strip("\0 ") for dataset, value in _iter_datasets(record) if dataset == _KEYWORDS)
    return tuple(text for text in texts if text)


def read_iptc_date(record: bytes) -> datetime | None:
    """Return the date and time of creation, midnight if only the date is known; None without a date."""
    values = {dataset: _decode_text(value) for dataset, value in _iter_datasets(record)}
    date, time = values.get(_DATE_CREATED, "").strip("\0 "), values.get(_TIME_CREATED, "").strip("\0 ")
    return parse_date(f"{date} {time}") or parse_date(date)


def _iter_datasets(record: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield (record number, dataset number) and value of each dataset (section 1.5 of the model)."""
    if record[:1] != b"\x1c" and record[3:4] == b"\x1c":  # written as integers in the wrong byte order
        record = b"".join(record[at : at + 4][::-1] for at in range(0, len(record), 4))
    at = 0
    for _ in range(_MAX_DATASETS):
        if record[at : at + 1] != b"\x1c" or at + 5 > len(record):
            return
        kind, size = (record[at + 1], record[at + 2]), int.from_bytes(record[at + 3 : at + 5], "big")
        at += 5
        if size & 0x8000:  # the size of the size
            width = size & 0x7FFF
            size, at = int.from_bytes(record[at : at + width], "big"), at + width
        if at + size > len(record):
            return
        yield kind, record[at : at + size]
        at += size


def _decode_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
