"""The date in a packet."""

from __future__ import annotations

from datetime import datetime

import pytest

from faceclust.xmp.dates import read_date
from faceclust.xmp.packet import BadPacketError
from tests.support.xmp_packets import build_sidecar

PREFIXES = {"exif": "http://ns.adobe.com/exif/1.0/", "photoshop": "http://ns.adobe.com/photoshop/1.0/"}
DECLARED = "".join(f" xmlns:{prefix}='{uri}'" for prefix, uri in PREFIXES.items())


def packet(*elements: str, attributes: str = "") -> bytes:
    return build_sidecar(*elements, attributes=DECLARED + attributes).encode()


def element(name: str, text: str) -> str:
    return f"<{name}>{text}</{name}>"


@pytest.mark.parametrize(
    "name", ["exif:DateTimeOriginal", "photoshop:DateCreated", "exif:DateTimeDigitized", "xmp:CreateDate"]
)
def test_properties_are_elements_or_attributes(name: str) -> None:
    text = "1985-07-01T12:30:00.5+02:00"
    for data in (packet(element(name, text)), packet(attributes=f" {name}='{text}'")):
        assert read_date(data) == datetime(1985, 7, 1, 12, 30)


def test_the_date_taken_takes_precedence_and_invalid_dates_are_skipped() -> None:
    created, taken = element("xmp:CreateDate", "2020-01-02"), element("exif:DateTimeOriginal", "1985-07-01")
    assert read_date(packet(created, taken)) == datetime(1985, 7, 1)
    assert read_date(packet(created, element("exif:DateTimeOriginal", "1985"))) == datetime(2020, 1, 2)
    assert read_date(packet(element("xmp:ModifyDate", "2020-01-02"))) is None
    with pytest.raises(BadPacketError):
        read_date(b"<x")
