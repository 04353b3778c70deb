from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.importers.picasa import (
    UNNAMED_CONTACT,
    parse_rect64,
    read_contacts,
    read_ini,
    resolve_contact,
)
from faceclust.importers.small_files import UnreadableFileError
from faceclust.photos.picasa_ini import read_rotation
from tests.support.picasa_files import format_rect64

SIDE = st.integers(0, 65535).map(lambda step: step / 65535)
INI = """[Picasa]
name=Summer
[Contacts]
1111111111111111=somebody_lh,abc
[Contacts2]
8e62398ebda8c1a5=Anna Bäcker;;
42=Ben;ben@example.org;
[IMG [1].jpg]
faces=rect64(4000400080008000),8e62398ebda8c1a5;rect64(c000),ffffffffffffffff;rect64(10002000f000),42
backuphash=123
[b.jpg]
star=yes
faces=rect64(zz),1;nonsense;rect64(80008000ffffffff),1111111111111111
"""


@given(st.tuples(SIDE, SIDE, SIDE, SIDE))
def test_rect64_round_trip(box: tuple[float, float, float, float]) -> None:
    assert parse_rect64(format_rect64(box)) == box


def test_rect64_without_leading_zeros() -> None:
    assert parse_rect64("1000200030004000") == pytest.approx((0.0625, 0.125, 0.1875, 0.25), abs=1e-5)
    assert parse_rect64("200030004000") == pytest.approx((0, 0.125, 0.1875, 0.25), abs=1e-5)
    assert format_rect64((0.0, 0.0, 0.0, 1.0)) == "ffff" and format_rect64((0.0,) * 4) == "0"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_an_ini_in_any_encoding(encoding: str) -> None:
    ini = read_ini(INI.replace("\n", "\r\n").encode(encoding))
    assert ini.contacts == {"8e62398ebda8c1a5": "Anna Bäcker", "0000000000000042": "Ben"}
    assert ini.faces.keys() == {"IMG [1].jpg", "b.jpg"}
    (box, anna), (_, ben) = ini.faces["IMG [1].jpg"]  # a box without height is dropped
    assert box == pytest.approx((0.25, 0.25, 0.5, 0.5), abs=1e-4)
    others = {"1111111111111111": "Carl"}
    assert [resolve_contact(contact, ini.contacts, others) for contact in (anna, ben)] == ["Anna Bäcker", "Ben"]
    ((_, carl),) = ini.faces["b.jpg"]
    assert resolve_contact(carl, ini.contacts, others) == "Carl"
    assert resolve_contact(carl, ini.contacts, {}) is None and resolve_contact(UNNAMED_CONTACT, {}, {}) == ""


@given(st.binary(max_size=300) | st.text().map(str.encode))
def test_any_bytes_are_read_as_an_ini(data: bytes) -> None:
    read_ini(data)
    read_ini(b"[Contacts2]\n[a.jpg]\nfaces=" + data)


def test_a_long_section_is_no_photos(tmp_path: Path) -> None:
    """Folding a long run of combining characters takes quadratic time."""
    text = "[{}]\nrotate=rotate(1)\n[Zoe\u0308.JPG]\nrotate=rotate(3)\n".format("a" + "\u0315\u0300" * 200_000)
    (tmp_path / ".picasa.ini").write_text(text, encoding="utf-8")
    assert read_rotation(tmp_path / "zo\u00eb.jpg") == 8


def test_contacts_are_read_or_refused() -> None:
    xml = b"""<?xml version="1.0" encoding="utf-8"?><contacts>
    <contact id="8e62398ebda8c1a5" name="Anna &amp; Co" display="A" local_contact="1"/>
    <contact id="42" display="Ben"/><contact id="43" name=" "/><contact name="nobody"/></contacts>"""
    assert read_contacts(xml) == {"8e62398ebda8c1a5": "Anna & Co", "0000000000000042": "Ben"}
    for bad in (b"", b"<contacts", b'<!DOCTYPE c [<!ENTITY a "b">]><contacts><contact id="1" name="&a;"/></contacts>'):
        with pytest.raises(UnreadableFileError):
            read_contacts(bad)
