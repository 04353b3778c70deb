"""Hostile XML loads nothing, expands nothing and ends early."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust.importers.picasa import read_contacts
from faceclust.importers.small_files import UnreadableFileError
from faceclust.xmp.packet import BadPacketError, parse_packet
from faceclust.xmp.safe_xml import InvalidXmlError, parse_xml

ENTITIES = "".join(f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 10))
BOMB = f'<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">{ENTITIES}]>'
HOSTILE = {
    "an entity bomb": f"{BOMB}<x>&a9;</x>",
    "an entity bomb in an attribute": f"{BOMB}<x y='&a9;'/>",
    "an entity that is not used": "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
    "an external document type": "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><x/>",
    "great depth": "<x>" * 100_000 + "</x>" * 100_000,
    "a long text": f"<x>{'a' * 11_000_000}</x>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_xml_is_refused_by_every_parser(text: str) -> None:
    with pytest.raises(InvalidXmlError):
        parse_xml(text.encode())
    with pytest.raises(BadPacketError):
        parse_packet(text.encode())
    with pytest.raises(UnreadableFileError):
        read_contacts(text.encode())


def test_no_other_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<secret/>")
    with pytest.raises(InvalidXmlError, match="document type"):
        parse_xml(f"<!DOCTYPE x [<!ENTITY a SYSTEM '{secret.as_uri()}'>]><x>&a;</x>".encode())
    include = f"<x><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='{secret.as_uri()}'/></x>"
    assert parse_xml(include.encode()).find("secret") is None
