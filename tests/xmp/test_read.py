"""Packets of other programs: all notations of the same data read the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceclust.importers.keywords import USUAL_TAGS
from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.xmp.packet import BadPacketError
from faceclust.xmp.read import read_packet
from tests.support.programs import find_program
from tests.support.xmp_samples import DIGIKAM, LIGHTROOM, PICASA, WINDOWS, build_packet

BOX = pytest.approx((0.2, 0.4, 0.3, 0.6))


@pytest.mark.parametrize(
    ("sample", "schemes"),
    [(DIGIKAM, ["mwg", "mp"]), (LIGHTROOM, ["mwg"]), (PICASA, ["mwg"]), (WINDOWS, ["mp"])],
    ids=["digiKam", "Lightroom", "Picasa", "Windows"],
)
def test_the_same_face_is_read_from_every_style(sample: bytes, schemes: list[str]) -> None:
    faces = read_packet(sample)
    assert [region.scheme for region in faces.regions] == schemes
    for region in faces.regions:
        assert (region.name, region.box) == ("Anna", BOX)
        assert region.applied_to == ((400, 300) if region.scheme == "mwg" else None)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_packets_in_other_encodings(encoding: str) -> None:
    text = DIGIKAM.decode().replace("\ufeff", "") + "\n"
    for declaration in ("", '<?xml version="1.0" encoding="UTF-16"?>\n' if "16" in encoding else ""):
        assert read_packet((declaration + text).encode(encoding)) == read_packet(DIGIKAM)


def test_names_without_a_region() -> None:
    digikam = read_packet(DIGIKAM)
    assert digikam.keywords[:2] == (("Places", "Rome"), ("People", "Anna"))
    assert digikam.orientation == 6
    assert USUAL_TAGS.find_people(digikam) == ("Anna", "Ben", "Unknown")  # neither places nor parent keywords
    assert USUAL_TAGS.find_people(read_packet(LIGHTROOM)) == ("Anna",)
    iptc = build_packet(
        '<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        "<e:PersonInImage><rdf:Bag><rdf:li>Zoë</rdf:li><rdf:li> </rdf:li></rdf:Bag></e:PersonInImage></rdf:Description>"
    )
    assert USUAL_TAGS.find_people(read_packet(iptc)) == ("Zoë",)


def area(**fields: str) -> bytes:
    attributes = " ".join(f'stArea:{key}="{value}"' for key, value in fields.items())
    return build_packet(
        '<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
        'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
        'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"><mwg-rs:Regions rdf:parseType="Resource">'
        '<mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="300"/>'
        f'<mwg-rs:RegionList><rdf:Bag><rdf:li mwg-rs:Name="Anna"><mwg-rs:Area {attributes}/></rdf:li></rdf:Bag>'
        "</mwg-rs:RegionList></mwg-rs:Regions></rdf:Description>"
    )


def test_unusual_and_invalid_areas() -> None:
    def boxes(**fields: str) -> list[object]:
        return [region.box for region in read_packet(area(**fields)).regions]

    assert boxes(x="100", y="150", w="40", h="60", unit="pixel") == [BOX]
    assert boxes(x="0.05", y="0.5", w="0.2", h="0.2") == [pytest.approx((0, 0.4, 0.15, 0.6))]  # clipped
    for fields in (
        {"x": "1.2", "y": "0.5", "w": "0.9", "h": "0.2"},  # its centre is outside
        {"x": "nan", "y": "0.5", "w": "0.1", "h": "0.2"},
        {"x": "0.5", "y": "inf", "w": "0.1", "h": "0.2"},
        {"x": "0.5", "y": "0.5", "w": "-0.1", "h": "0.2"},
        {"x": "0.5", "y": "0.5", "w": "0", "h": "0"},
        {"x": "0.5", "y": "0.5"},  # a point
        {"x": "a", "y": "b", "w": "c", "h": "d"},
        {},
    ):
        assert boxes(**fields) == [], fields


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no XML",
        b"<rdf:RDF",
        b"<a/>",
        b"\xff\xfe\x00",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<a>" * 100_000,
    ],
)
def test_invalid_packets_are_refused(data: bytes) -> None:
    with pytest.raises(BadPacketError):
        read_packet(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_packets_are_read_or_refused(data: st.DataObject) -> None:
    packet = bytearray(data.draw(st.sampled_from([DIGIKAM, LIGHTROOM, PICASA, WINDOWS])))
    for position in data.draw(st.lists(st.integers(0, len(packet) - 1), max_size=4)):
        packet[position] = data.draw(st.integers(0, 255))
    del packet[data.draw(st.integers(0, len(packet))) :]
    try:
        faces = read_packet(bytes(packet))
    except BadPacketError:
        return
    for region in faces.regions:
        left, top, right, bottom = region.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def test_more_regions_than_one_segment_holds(tmp_path: Path) -> None:
    """exiftool splits them into a main and an extended packet."""
    people = [f"Person {number}" for number in range(600)]
    regions = ",".join(f"{{Area={{X=0.5,Y=0.4,W=0.2,H=0.3}},Name={name},Type=Face}}" for name in people)
    photo, options = tmp_path / "a.jpg", tmp_path / "options"
    Image.new("RGB", (64, 64)).save(photo)
    options.write_text(f"-RegionInfo={{RegionList=[{regions}]}}\n")
    subprocess.run([find_program("exiftool"), "-q", "-@", options, photo], check=True)
    packets = read_embedded_metadata(photo).xmp
    assert len(packets) == 2 and len(photo.read_bytes()) > 65536
    assert [region.name for data in packets for region in read_packet(data).regions] == people
