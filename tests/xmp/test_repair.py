"""Packets that are not quite XML are read as exiftool reads them, and never edited."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.xmp.encoding import decode_leniently
from faceclust.xmp.new_packet import build_new_packet
from faceclust.xmp.packet import NAMESPACES, BadPacketError, parse_packet
from faceclust.xmp.read import read_packet
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.repair import MAX_REPAIRED_LENGTH, repair_xml
from faceclust.xmp.safe_xml import InvalidXmlError, parse_xml
from faceclust.xmp.write import merge_faces
from tests.support.programs import find_program
from tests.support.xmp_packets import build_array, build_mwg_regions, build_region, build_sidecar

_CAPTION = "<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>CAPTION</rdf:li></rdf:Alt></dc:description>"
PACKET = build_sidecar(
    _CAPTION,
    build_mwg_regions(build_region("Anna", 0.2, 0.3, 0.1, 0.1)),
    build_array("lr:hierarchicalSubject", "People|Ben"),
).replace("\ufeff", "")
_BODY = PACKET[PACKET.index("<x:xmpmeta") : PACKET.index("<?xpacket end")]


def replaced(old: str, new: str | bytes) -> bytes:
    """Replace a text in the packet; the new one may be bytes that are not UTF-8."""
    assert old in PACKET
    return PACKET.encode().replace(old.encode(), new if isinstance(new, bytes) else new.encode())


#: What is wrong → a packet with Anna's region and the keyword Ben, which exiftool reads as well.
DAMAGED = {
    "a missing ?> at the end": PACKET.removesuffix("?>").encode(),
    "a missing ? at the start": replaced("?>\n<x:", ">\n<x:"),
    "text behind the packet": (PACKET + "\n garbage <&").encode(),
    "a control character": replaced("CAPTION", "a\x0bb"),
    "a NUL": replaced("CAPTION", "a\0b"),
    "a noncharacter": replaced("CAPTION", "a\uffffb"),
    "a reference to a control character": replaced("CAPTION", "a&#x0B;b&#11;"),
    "a reference to NUL": replaced("CAPTION", "a&#0;b"),
    "a reference beyond Unicode": replaced("CAPTION", "a&#x110000;&#999999999;b"),
    "a byte of Latin-1": replaced("CAPTION", b"caf\xe9"),
    "bytes of a double-byte encoding": replaced("CAPTION", "写真".encode("shift_jis")),
    "surrogates in UTF-8": replaced("CAPTION", b"\xed\xa0\xbd\xed\xb8\x80"),
    "half a surrogate": replaced("CAPTION", b"a\xed\xa0\xbdb"),
    "references to surrogates": replaced("CAPTION", "&#xD83D;&#xDE00; &#xD83D;"),
    "a bare ampersand": replaced("CAPTION", "Tom & Ben &co; & &#; &#x;"),
    "HTML's entities": replaced("CAPTION", "a&nbsp;b&eacute;&lt;"),
    "a bare <": replaced("CAPTION", "I <3 you, a < b"),
    "a bare < before a letter": replaced("CAPTION", "a <b c"),
    "< and & in an attribute": replaced(" rdf:about=''", " rdf:about='' dc:title='a < b & c'"),
    "an undeclared prefix": replaced("<dc:description>", "<GPano:X>1</GPano:X><dc:description>"),
    "an undeclared prefix of an attribute": replaced(" rdf:about=''", " rdf:about='' GPano:Y='1'"),
    "an undeclared prefix of the regions": replaced(f"xmlns:mwg-rs='{NAMESPACES['mwg-rs']}'", ""),
    "an undeclared rdf": replaced(f"xmlns:rdf='{NAMESPACES['rdf']}'", ""),
    "an empty URI": replaced(" rdf:about=''", " rdf:about='' xmlns:foo=''"),
    "a URI without its last character": replaced("schemas/regions/", "schemas/regions"),
    "an attribute twice": replaced(" rdf:about=''", " rdf:about='' rdf:about=''"),
    "an attribute without quotes": replaced(" rdf:about=''", " rdf:about='' dc:format=jpeg"),
    "attributes without a space": replaced(" rdf:about=''", " rdf:about=''dc:format='jpeg'"),
    "invalid names of elements": replaced(
        _CAPTION, f"<a:b:c>1</a:b:c><dc:3d>1</dc:3d><dc:my tag>1</dc:my tag>{_CAPTION}"
    ),
    "an element that is not closed": replaced("</rdf:li></rdf:Alt>", "</rdf:Alt>"),
    "an end tag too many": replaced(_CAPTION, f"{_CAPTION}</dc:title>"),
    "two hyphens in a comment": replaced(_CAPTION, f"<!-- a -- b -->{_CAPTION}"),
    "CDATA": replaced("CAPTION", "<![CDATA[a & <b>]]>\x01"),
    "a wrong declared encoding": f"<?xml version='1.0' encoding='UTF-16'?>\n{_BODY}".encode(),
    "an unknown declared encoding": f"<?xml version='1.0' encoding='x-foo'?>\n{_BODY}".encode(),
    "the root of older versions": PACKET.replace("x:xmpmeta", "x:xapmeta").encode(),
    "no root but RDF": PACKET[PACKET.index("<rdf:RDF") : PACKET.index("</x:xmpmeta>")].encode(),
    "NUL behind the packet": PACKET.encode() + b"\0" * 300,
    "UTF-16": PACKET.encode("utf-16"),
}
#: These packets are valid, or can be edited without a repair.
EDITABLE = {"a URI without its last character", "the root of older versions", "no root but RDF", "UTF-16"}
EDITABLE |= {"NUL behind the packet"}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_the_names_in_a_damaged_packet_are_read(data: bytes) -> None:
    faces = read_packet(data)
    assert [(region.name, region.box) for region in faces.regions] == [
        ("Anna", pytest.approx((0.15, 0.25, 0.25, 0.35)))
    ]
    assert faces.keywords == (("People", "Ben"),)


def test_exiftool_reads_the_same_names(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.xmp" for number in range(len(DAMAGED))]
    for file, data in zip(files, DAMAGED.values(), strict=True):
        file.write_bytes(data)
    command = [find_program("exiftool"), "-j", "-q", "-q", "-XMP:RegionName", "-XMP:HierarchicalSubject", *files]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    names = {
        what: (one.get("RegionName"), one.get("HierarchicalSubject")) for what, one in zip(DAMAGED, found, strict=True)
    }
    assert names == dict.fromkeys(DAMAGED, ("Anna", "People|Ben"))


@pytest.mark.parametrize("what", sorted(DAMAGED.keys() - EDITABLE))
def test_a_damaged_packet_is_not_edited(what: str) -> None:
    with pytest.raises(BadPacketError):
        merge_faces(DAMAGED[what], [NamedBox((0.5, 0.5, 0.6, 0.6), "Carl")], (4000, 3000))


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_new_packet_repeats_the_names_of_a_damaged_one(data: bytes) -> None:
    new = build_new_packet([data], ())
    merged = merge_faces(new, [NamedBox((0.5, 0.5, 0.6, 0.6), "Carl")], (4000, 3000)).data
    faces = read_packet(merged)
    assert {region.name for region in faces.regions} == {"Anna", "Carl"}
    assert ("People", "Ben") in faces.keywords
    parse_packet(merged)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Anna & Ben", "Anna & Ben"),
        ("Zo&euml;", "Zoë"),
        (b"Zo\xeb", "Zoë"),
        (b"Zo\xeb \xc3\xab", "Zoë ë"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600"),
        ("&#xD83D;&#xDE00;", "\U0001f600"),
        (b"Anna\xc2\xa0&#1;\x02", "Anna"),
        ("<![CDATA[A&B]]> & C", "A&B & C"),
        ("&amp;lt; &", "&lt; &"),
        ("A <3", "A <3"),
    ],
)
def test_a_damaged_name_is_read_as_it_was_meant(written: str | bytes, name: str) -> None:
    (region,) = read_packet(
        replaced(">Anna<", b">%b<" % (written if isinstance(written, bytes) else written.encode()))
    ).regions
    assert region.name == name


def test_utf_8_takes_precedence_over_a_declared_encoding() -> None:
    text = f"<?xml version='1.0' encoding='ISO-8859-1'?>\n{_BODY.replace('Anna', 'Zoë')}"
    for encoding in ("utf-8", "latin-1"):
        assert [region.name for region in read_packet(text.encode(encoding)).regions] == ["Zoë"]


@pytest.mark.parametrize("step", [7, 11])
def test_only_complete_items_of_a_cut_packet_are_read(step: int) -> None:
    data = PACKET.encode()
    for end in range(data.index(b"<rdf:RDF"), len(data), step):
        try:
            faces = read_packet(data[:end])
        except BadPacketError:
            continue
        assert {region.name for region in faces.regions} <= {"Anna"} and not faces.people
        assert faces.keywords in ((), (("People", "Ben"),))
    assert read_packet(data[: data.index(b"</rdf:RDF>")]) == read_packet(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"<!DOCTYPE x [<!ENTITY a 'b'>]>{text.replace('CAPTION', '&a;')}",
        lambda text: f"<!doctype html>{text}",
        lambda text: text.replace("CAPTION", "\x01<!ENTITY a SYSTEM 'file:///etc/passwd'>"),
        lambda text: text.replace("CAPTION", "\x01" + "<a>" * 1000),
        lambda text: text.replace("CAPTION", "\x01" + "".join(f"<p{number}:a/>" for number in range(1000))),
        lambda text: text.replace("CAPTION", "\x01" + " " * MAX_REPAIRED_LENGTH),
        lambda text: "\x01 no XMP",
    ],
    ids=["entities", "a document type", "a nested declaration", "depth", "prefixes", "length", "no XMP"],
)
def test_hostile_and_unreadable_packets_are_refused(change: Callable[[str], str]) -> None:
    data = change(_BODY).encode()
    with pytest.raises(BadPacketError):
        read_packet(data)
    with pytest.raises(BadPacketError):
        build_new_packet([data], ["holiday"])


_PIECES = st.sampled_from(
    [*"<>&'\"/:= ;#?!-\0\x0b", "<!--", "-->", "<![CDATA[", "]]>", "</rdf:li>", "&#xD800;", "\ud800"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_BODY)), st.integers(0, 30), _PIECES), min_size=1, max_size=8))
def test_a_repaired_text_is_xml(changes: list[tuple[int, int, str]]) -> None:
    text = _BODY
    for start, length, new in changes:
        text = text[:start] + new + text[start + length :]
    try:
        repaired = repair_xml(text, NAMESPACES)
    except InvalidXmlError:
        assert "<!" in text
        return
    parse_xml(repaired.encode(), "utf-8")


def test_any_bytes_can_be_decoded_leniently() -> None:
    assert decode_leniently(bytes(range(256)))
    for data in (b"\xff\xfe<\0a", b"\xfe\xff\xd8\0", b"<\0\0\0\xff", b"\xed\xa0", b"\xf0\x9f"):
        decode_leniently(data).encode()
