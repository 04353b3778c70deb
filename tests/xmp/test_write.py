"""Merging faces into packets changes nothing else."""

from __future__ import annotations

import codecs
import random
import re
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.xmp.edit_regions import read_regions
from faceclust.xmp.packet import MAX_REGIONS, NAMESPACES, BadPacketError, parse_packet, tag
from faceclust.xmp.rdf import array_items, descriptions, find_array, property_elements, text_of
from faceclust.xmp.read import read_packet
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.values import stored_box, upright_box
from faceclust.xmp.write import merge_faces, strip_own_data
from tests.support.xmp_packets import CLUTTER, build_array, build_mwg_regions, build_region, build_sidecar

SIZE = (4000, 3000)
ANNA = NamedBox((0.1, 0.2, 0.3, 0.5), "Anna")
BEN = NamedBox((0.6, 0.2, 0.8, 0.5), "Ben")
NOBODY = NamedBox((0.4, 0.6, 0.5, 0.7))
OWN_NAMESPACE = f" xmlns:faceclust='{NAMESPACES['faceclust']}'"
LISTS = ("digiKam:TagsList", "lr:hierarchicalSubject", "dc:subject", "Iptc4xmpExt:PersonInImage")


def read_names(data: bytes, scheme: int) -> list[str | None]:
    return [found.name for found in read_regions(parse_packet(data).getroot(), SCHEMES[scheme])]


def read_list(data: bytes, name: str) -> list[str]:
    return [
        text_of(item) for found in property_elements(parse_packet(data).getroot(), name) for item in array_items(found)
    ]


def test_a_new_sidecar_has_regions_of_both_schemes_and_all_keywords() -> None:
    data = merge_faces(None, [BEN, ANNA, NOBODY], SIZE).data
    for scheme in (0, 1):
        assert read_names(data, scheme) == ["Anna", None, "Ben"]
    assert [read_list(data, name) for name in LISTS] == [
        ["People/Anna", "People/Ben"],
        ["People|Anna", "People|Ben"],
        ["Anna", "Ben"],
        ["Anna", "Ben"],
    ]
    assert strip_own_data(data) is None
    kinds = [
        find_array(property_elements(parse_packet(data).getroot(), name)[0]).tag.rpartition("}")[2] for name in LISTS
    ]
    assert kinds == ["Seq", "Bag", "Bag", "Bag"]


@pytest.mark.parametrize("old", [None, build_sidecar(CLUTTER).encode()], ids=["new", "of another program"])
def test_a_person_without_a_face_has_keywords_but_no_region(old: bytes | None) -> None:
    data = merge_faces(old, [BEN], SIZE, ["Mia"]).data
    assert read_names(data, 0)[-1] == read_names(data, 1)[-1] == "Ben"
    assert "Mia" not in read_names(data, 0) + read_names(data, 1)
    assert [read_list(data, name)[-2:] for name in LISTS] == [
        ["People/Ben", "People/Mia"], ["People|Ben", "People|Mia"], ["Ben", "Mia"], ["Ben", "Mia"],
    ]  # fmt: skip
    assert read_packet(data).without_face == ("Mia",) and "Mia" not in read_packet(data).people
    assert merge_faces(data, [BEN], SIZE, ["Mia"]).data == data
    assert read_packet(merge_faces(data, [BEN], SIZE, ["Zoe"]).data).without_face == ("Zoe",)
    assert b"Mia" not in merge_faces(data, [BEN], SIZE).data
    assert strip_own_data(data) == (old if old else None)


def test_a_person_whom_another_program_took_away_or_marked_is_not_without_a_face() -> None:
    data = merge_faces(None, [], SIZE, ["Anna"]).data
    start = data.index(b"PersonInImage>")
    without_name = data[:start] + data[start:].replace(b"Anna", b"Ben", 1)
    region = build_mwg_regions(build_region("Anna", 0.5, 0.5, 0.1, 0.1))
    for changed in (without_name, merge_faces(build_sidecar(region).encode(), [], SIZE, ["Anna"]).data):
        assert read_packet(changed).without_face == ()
    assert read_packet(data).without_face == ("Anna",)


def test_regions_of_ours_are_told_from_changed_ones() -> None:
    data = merge_faces(
        build_sidecar(build_mwg_regions(build_region("Zoe", 0.9, 0.9, 0.1, 0.1))).encode(), [ANNA], SIZE
    ).data
    assert {(region.name, region.scheme, region.is_own) for region in read_packet(data).regions} == {
        ("Zoe", "mwg", False), ("Anna", "mwg", True), ("Anna", "mp", True),
    }  # fmt: skip
    moved = data.replace(b'stArea:x="0.200000"', b'stArea:x="0.210000"')
    assert [region.is_own for region in read_packet(moved).regions if region.name == "Anna"] == [False, True]


@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=6),
    st.integers(1, 8),
    st.sampled_from([(4000, 3000), (640, 481), (20_000, 9_000)]),
)
def test_boxes_round_trip_to_the_pixel(
    sides: list[tuple[float, float, float, float]], orientation: int, size: tuple[int, int]
) -> None:
    boxes = {str(n): (min(a, c), min(b, d), max(a, c), max(b, d)) for n, (a, b, c, d) in enumerate(sides)}
    boxes = {name: box for name, box in boxes.items() if box[2] - box[0] > 1e-4 and box[3] - box[1] > 1e-4}
    faces = [NamedBox(stored_box(box, orientation), name) for name, box in boxes.items()]
    data = merge_faces(None, faces, size).data
    for scheme in SCHEMES:
        read = {found.name: found.box for found in read_regions(parse_packet(data).getroot(), scheme)}
        assert read.keys() == boxes.keys()
        for name, box in read.items():
            assert box is not None
            off = [abs(a - b) for a, b in zip(upright_box(box, orientation), boxes[name or ""], strict=True)]
            assert max(off) * max(size) < 0.05
    assert merge_faces(data, faces, size).data == data


@given(st.text(min_size=1, max_size=20))
def test_any_name_round_trips(name: str) -> None:
    data = merge_faces(None, [NamedBox(ANNA.box, name)], SIZE).data
    written_name = read_names(data, 0)[0] or ""
    assert set(written_name) <= set(name) | {" "}
    if name.isprintable():
        assert written_name == name.strip() and (not written_name or read_list(data, "dc:subject") == [written_name])
    assert merge_faces(data, [NamedBox(ANNA.box, name)], SIZE).data == data


def test_separators_in_a_name_are_replaced_in_keyword_paths() -> None:
    data = merge_faces(None, [NamedBox(ANNA.box, "Anna/Maria|B.")], SIZE).data
    assert read_list(data, "digiKam:TagsList") == ["People/Anna-Maria-B."]
    assert read_list(data, "lr:hierarchicalSubject") == ["People|Anna-Maria-B."]
    assert read_names(data, 0) == read_list(data, "dc:subject") == ["Anna/Maria|B."]


# -- Existing packets ----------------------------------------------------------

PET, FOCUS = build_region("Rex", 0.5, 0.8, 0.1, 0.1, "Pet"), build_region("", 0.2, 0.35, 0.2, 0.3, "Focus")
CARLA = build_region("Carla", 0.9, 0.9, 0.05, 0.05, more="<apple-fi:Angle>270</apple-fi:Angle>")
OLD = {
    "clutter": build_sidecar(CLUTTER),
    "keywords": build_sidecar(
        CLUTTER,
        build_array("dc:subject", "holiday", "Anna"),
        build_array("digiKam:TagsList", "Places/Rome", kind="Seq"),
    ),
    "a subject that is a Seq": build_sidecar(build_array("dc:subject", "holiday", kind="Seq")),
    "regions": build_sidecar(build_mwg_regions(PET, FOCUS, CARLA), CLUTTER),
    "two blocks": build_sidecar(CLUTTER).replace("</rdf:RDF>", "<rdf:Description rdf:about=''/></rdf:RDF>"),
    "no x:xmpmeta": build_sidecar(build_array("dc:subject", "x")).split("1.0'>\n")[1].split("\n</x:xmpmeta>")[0],
    "other prefixes": re.sub(r"\b(rdf|dc)(?=[:=])", r"x_\1", build_sidecar(build_array("dc:subject", "x"))),
    "a stolen prefix": build_sidecar(CLUTTER).replace(
        "xmlns:lr='http://ns.adobe.com/lightroom/1.0/'", "xmlns:lr='urn:mine'"
    ),
    "one line": build_sidecar(CLUTTER, build_array("dc:subject", "holiday")).replace("\n", " "),
    "an address": build_sidecar(CLUTTER).replace("rdf:about=''", "rdf:about='uuid:1-2'"),
}
ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "utf-16": lambda text: ("\ufeff" + text).encode("utf-16-le") + b"\n\0",
    "utf-16-be without a mark": lambda text: text.encode("utf-16-be"),
    "padded": lambda text: text.replace("<?xpacket end", " " * 2000 + "\n<?xpacket end").encode() + b"\n\n",
    "declared latin-1": lambda text: (
        "<?xml version='1.0' encoding='ISO-8859-1'?>\n" + text.replace("\ufeff", "").replace("—", "é")
    ).encode("latin-1"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("old", OLD)
def test_removing_our_data_restores_the_original_bytes(old: str, encoding: str) -> None:
    before = ENCODINGS[encoding](OLD[old])
    merged = merge_faces(before, [ANNA, BEN], SIZE)
    assert merged.conflicts == ()
    assert {"Anna", "Ben"} <= set(read_names(merged.data, 0)) & set(read_names(merged.data, 1))
    for name in LISTS:
        assert {text.rpartition("/")[2].rpartition("|")[2] for text in read_list(merged.data, name)} >= {"Anna", "Ben"}
    assert merge_faces(merged.data, [ANNA, BEN], SIZE).data == merged.data  # idempotent
    assert merge_faces(merged.data, [], SIZE).data == before
    assert strip_own_data(merged.data) is not None
    blocks = list(descriptions(parse_packet(merged.data).getroot()))
    assert len({block.get(tag("rdf:about")) for block in blocks}) == 1


def test_foreign_keywords_are_neither_duplicated_nor_removed() -> None:
    data = merge_faces(OLD["keywords"].encode(), [ANNA], SIZE).data
    assert read_list(data, "dc:subject") == ["holiday", "Anna"]
    assert read_list(data, "digiKam:TagsList") == ["Places/Rome", "People/Anna"]
    renamed = merge_faces(data, [NamedBox(ANNA.box, "Anne")], SIZE).data
    assert read_list(renamed, "dc:subject") == ["holiday", "Anna", "Anne"]  # "Anna" was not ours
    assert read_list(renamed, "digiKam:TagsList") == ["Places/Rome", "People/Anne"]


def test_foreign_keywords_that_ours_would_hide_are_repeated() -> None:
    flat = build_sidecar(build_array("dc:subject", "holiday", "by/the sea", "Anna", "People")).encode()
    data = merge_faces(flat, [ANNA], SIZE).data
    assert read_list(data, "digiKam:TagsList") == ["holiday", "by-the sea", "People/Anna"]
    assert read_list(data, "lr:hierarchicalSubject") == ["holiday", "by-the sea", "People|Anna"]
    less = data.replace(b"<rdf:li>holiday</rdf:li>", b"", 1)  # another program removes the flat keyword
    assert read_list(merge_faces(less, [ANNA], SIZE).data, "digiKam:TagsList") == ["by-the sea", "People/Anna"]
    deep = build_sidecar(
        build_array("lr:hierarchicalSubject", "Places|Rome"), build_array("dc:subject", "Rome", "Places", "red")
    ).encode()
    data = merge_faces(deep, [ANNA], SIZE).data
    assert read_list(data, "digiKam:TagsList") == ["Places/Rome", "red", "People/Anna"]
    assert read_list(data, "lr:hierarchicalSubject") == ["Places|Rome", "People|Anna"]
    assert merge_faces(data, [ANNA], SIZE).data == data and merge_faces(data, [], SIZE).data == deep


def test_renaming_a_person_and_removing_a_face() -> None:
    data = merge_faces(None, [ANNA, BEN], SIZE).data
    renamed = merge_faces(data, [NamedBox(ANNA.box, "Anne"), BEN], SIZE)
    assert sorted(read_names(renamed.data, 0)) == sorted(read_names(renamed.data, 1)) == ["Anne", "Ben"]
    assert renamed.conflicts == ()
    less = merge_faces(renamed.data, [BEN], SIZE).data
    assert read_names(less, 0) == read_names(less, 1) == read_list(less, "dc:subject") == ["Ben"]
    assert b"Ann" not in less


def test_our_regions_are_recognised_after_another_program_rounds_them() -> None:
    data = merge_faces(None, [ANNA], SIZE).data
    shifted = data.replace(b'x="0.200000"', b'x="0.2013"').replace(b'="0.100000, 0.2', b'="0.1013, 0.2')
    assert shifted.count(b"13") == 2
    renamed = merge_faces(shifted, [NamedBox(ANNA.box, "Anne")], SIZE)
    assert read_names(renamed.data, 0) == read_names(renamed.data, 1) == ["Anne"]
    assert b'x="0.200000"' in merge_faces(shifted, [ANNA], SIZE).data


def test_foreign_regions_are_kept_and_not_duplicated() -> None:
    theirs = build_sidecar(build_mwg_regions(build_region("anna ", 0.21, 0.34, 0.19, 0.3), PET))
    data = merge_faces(theirs.encode(), [ANNA], SIZE).data
    assert read_names(data, 0) == ["anna", "Rex"] and read_names(data, 1) == ["Anna"]
    assert merge_faces(data, [], SIZE).data == theirs.encode()


def test_a_foreign_name_is_kept_and_reported_as_a_conflict() -> None:
    theirs = build_sidecar(build_mwg_regions(build_region("Carla", 0.21, 0.34, 0.19, 0.3)))
    merged = merge_faces(theirs.encode(), [ANNA, BEN], SIZE)
    assert merged.conflicts == (("Anna", "Carla"),)
    assert read_names(merged.data, 0) == ["Carla", "Ben"] and read_list(merged.data, "dc:subject") == ["Ben"]


def test_a_region_with_an_alias_of_the_person_is_kept_without_a_conflict() -> None:
    theirs = build_sidecar(build_mwg_regions(build_region("Mum", 0.21, 0.34, 0.19, 0.3))).encode()
    anna = replace(ANNA, aliases=("Anni", "MUM"))
    merged = merge_faces(theirs, [anna, BEN], SIZE)
    assert merged.conflicts == () and read_names(merged.data, 0) == ["Mum", "Ben"], "no second region of the face"
    assert read_list(merged.data, "dc:subject") == ["Anna", "Ben"]
    assert merge_faces(merged.data, [anna, BEN], SIZE).data == merged.data
    assert merge_faces(merged.data, [], SIZE).data == theirs
    both = build_mwg_regions(build_region("Carla", 0.21, 0.34, 0.19, 0.3), build_region("Mum", 0.21, 0.34, 0.19, 0.3))
    assert merge_faces(build_sidecar(both).encode(), [anna], SIZE).conflicts == ()


@pytest.mark.parametrize("word", ["Unbekannt", "Unknown 3", "?"])
def test_a_word_for_nobody_is_no_conflict(word: str) -> None:
    theirs = build_sidecar(build_mwg_regions(build_region(word, 0.2, 0.35, 0.2, 0.3)))
    merged = merge_faces(theirs.encode(), [ANNA], SIZE)
    assert merged.conflicts == () and read_names(merged.data, 0) == [word, "Anna"]


def test_unnamed_regions_and_other_kinds_are_no_conflict() -> None:
    theirs = build_sidecar(
        build_mwg_regions(build_region("", 0.2, 0.35, 0.2, 0.3), build_region("Anna", 0.2, 0.35, 0.2, 0.3, "Focus"))
    )
    assert read_names(merge_faces(theirs.encode(), [ANNA], SIZE).data, 0) == [None, "Anna", "Anna"]
    assert read_names(merge_faces(theirs.encode(), [NamedBox(ANNA.box)], SIZE).data, 0) == [None, "Anna"]


def test_regions_in_all_equivalent_notations() -> None:
    """Attributes, nodes, and structures with nested nodes, in both schemes."""
    area = "<mwg-rs:Area stArea:x='.2' stArea:y='.35' stArea:w='.2' stArea:h='.3' stArea:unit='normalized'/>"
    forms = [
        f"<rdf:li><rdf:Description mwg-rs:Name='Carla' mwg-rs:Type='Face'>{area}</rdf:Description></rdf:li>",
        f"<rdf:li><rdf:Description><mwg-rs:Name>Carla</mwg-rs:Name>{area}</rdf:Description></rdf:li>",
        f"<rdf:li rdf:parseType='Resource'>{area}<mwg-rs:Name>Carla</mwg-rs:Name></rdf:li>",
        build_region("Carla", 0.2, 0.35, 0.2, 0.3),
    ]
    for form in forms:
        assert merge_faces(build_sidecar(build_mwg_regions(form)).encode(), [ANNA], SIZE).conflicts == (
            ("Anna", "Carla"),
        )
    nested = build_mwg_regions(forms[0]).replace(
        "<mwg-rs:Regions rdf:parseType='Resource'>", "<mwg-rs:Regions><rdf:Description>"
    )
    nested = nested.replace("</mwg-rs:Regions>", "</rdf:Description></mwg-rs:Regions>")
    merged = merge_faces(build_sidecar(nested).encode(), [BEN], SIZE)
    assert read_names(merged.data, 0) == ["Carla", "Ben"]
    rectangle = "MPReg:Rectangle='0.1, 0.2, 0.2, 0.3'"
    for item in (
        f"<rdf:li MPReg:PersonDisplayName='Carla' {rectangle}/>",
        f"<rdf:li><rdf:Description MPReg:PersonDisplayName='Carla' {rectangle}/></rdf:li>",
        "<rdf:li rdf:parseType='Resource'><MPReg:PersonDisplayName>Carla</MPReg:PersonDisplayName>"
        "<MPReg:Rectangle>0.1,0.2,0.2,0.3</MPReg:Rectangle></rdf:li>",
    ):
        info = f"<MPRI:Regions><rdf:Bag>{item}</rdf:Bag></MPRI:Regions>"
        info = f"<MP:RegionInfo><rdf:Description>{info}</rdf:Description></MP:RegionInfo>"
        assert merge_faces(build_sidecar(info).encode(), [ANNA], SIZE).conflicts == (("Anna", "Carla"),)


def test_keywords_outside_a_list_become_a_list() -> None:
    for old in (
        build_sidecar("  <dc:subject>holiday</dc:subject>"),
        build_sidecar(attributes=' dc:subject="holiday"'),
        build_sidecar("  <dc:subject rdf:parseType='Resource'><rdf:value>holiday</rdf:value></dc:subject>"),
    ):
        data = merge_faces(old.encode(), [ANNA], SIZE).data
        assert read_list(data, "dc:subject") == ["holiday", "Anna"]
        assert read_list(merge_faces(data, [], SIZE).data, "dc:subject") == ["holiday"]


def test_empty_lists_and_missing_sizes_are_filled() -> None:
    old = build_sidecar(
        build_mwg_regions(size=None).replace("<rdf:Bag>\n    </rdf:Bag>", "<rdf:Bag/>"),
        "<dc:subject><rdf:Bag/></dc:subject>",
    )
    data = merge_faces(old.encode(), [ANNA], SIZE).data
    assert read_names(data, 0) == read_list(data, "dc:subject") == ["Anna"]
    assert b'stDim:w="4000" stDim:h="3000"' in data
    bare = build_sidecar(build_mwg_regions(size=None).replace("<rdf:Bag>\n    </rdf:Bag>", ""))
    assert read_names(merge_faces(bare.encode(), [ANNA], SIZE).data, 0) == ["Anna"]


def test_regions_of_a_picture_with_another_aspect_ratio_are_left_alone() -> None:
    for size in ((3000, 4000), (4000, 2250)):
        with pytest.raises(BadPacketError, match=f"{size[0]}×{size[1]}"):
            merge_faces(build_sidecar(build_mwg_regions(CARLA, size=size)).encode(), [ANNA], SIZE)
    smaller = merge_faces(build_sidecar(build_mwg_regions(CARLA, size=(2000, 1500))).encode(), [ANNA], SIZE).data
    assert b"<stDim:w>2000</stDim:w>" in smaller  # fractions are the same in a smaller copy
    ours = merge_faces(None, [ANNA], (3000, 4000)).data
    assert b'stDim:w="4000" stDim:h="3000"' in merge_faces(ours, [ANNA, BEN], SIZE).data


def test_invalid_ownership_records_are_ignored() -> None:
    data = merge_faces(None, [ANNA], SIZE).data
    for broken in (
        data.replace(b"<rdf:li>mwg-rs 0.2", b"<rdf:li>mwg-rs ..2"),
        data.replace(b"<rdf:li>MP ", b"<rdf:li>"),
    ):
        again = merge_faces(broken, [NamedBox(ANNA.box, "Anne")], SIZE)
        assert again.conflicts == (("Anne", "Anna"),)  # an unrecorded region is foreign


# -- Hostile packets -----------------------------------------------------------

BOMB = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\xff\xd8\xff\xe0 a JPEG under the wrong name",
        build_sidecar(CLUTTER).encode()[:-40],
        (BOMB + "]>" + build_sidecar("<dc:title>&i;</dc:title>").partition("\n")[2]).encode(),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + build_sidecar(CLUTTER).partition("\n")[2]).encode(),
        b"<html><body/></html>",
        build_sidecar(CLUTTER).replace("Editor", "\x00\x01").encode(),
        build_sidecar(CLUTTER).encode().replace(b"Editor", b"\xff\xfe"),
        b"<?xml version='1.0' encoding='utf-7'?>" + build_sidecar(CLUTTER).partition("\n")[2].encode(),
        build_sidecar(build_mwg_regions("<rdf:li/>").replace("rdf:Bag>", "xmp:Thing>")).encode(),
        b"<a>" * 100_000,
    ],
    ids=range(12),
)
def test_packets_that_cannot_be_changed_are_refused(data: bytes) -> None:
    with pytest.raises(BadPacketError):
        merge_faces(data, [ANNA], SIZE)


@pytest.mark.slow
@pytest.mark.parametrize("count", [(MAX_REGIONS + 1, 1), (1, MAX_REGIONS + 1)])
def test_packets_with_too_many_regions_are_refused(count: tuple[int, int]) -> None:
    """Each region is compared with each record of our own: 20,000 of both would take a minute."""
    records = [f"mwg-rs 0.5 0.5 0.1 0.1{number:04}" for number in range(count[0])]
    regions = build_mwg_regions(*[build_region("Anna", 0.5, 0.5, 0.1, 0.1)] * count[1])
    packet = build_sidecar(build_array("faceclust:WroteRegions", *records), regions, attributes=OWN_NAMESPACE).encode()
    with pytest.raises(BadPacketError, match=f"more than {MAX_REGIONS:,} regions"):
        merge_faces(packet, [ANNA], SIZE)
    assert len(read_packet(packet).regions) == min(count[1], MAX_REGIONS)


def test_damaged_packets_are_refused_or_merged_idempotently() -> None:
    rng = random.Random(3)
    seeds = [encode(text) for text in OLD.values() for encode in ENCODINGS.values()]
    seeds += [merge_faces(seed, [ANNA, BEN], SIZE).data for seed in seeds]
    pieces = (b"<rdf:li>Anna</rdf:li>", b"<!-- x -->", b"<rdf:Bag/>", b"</rdf:Bag>", b'"', b"&x;", b"\0")
    merged = 0
    for _ in range(1500):
        data = bytearray(rng.choice(seeds))
        position, other = rng.randrange(len(data)), rng.randrange(len(data))
        data[position : position + rng.choice((0, 0, 1, 2, 60))] = rng.choice(
            (b"", rng.choice(pieces), data[other : other + 80])
        )
        try:
            once = merge_faces(bytes(data), [ANNA, BEN], SIZE).data
        except BadPacketError:
            continue
        merged += 1
        assert merge_faces(once, [ANNA, BEN], SIZE).data == once
    assert merged > 100


def test_suggested_and_confirmed_names_are_distinguished_on_reading() -> None:
    guess = replace(BEN, confirmed=False)
    data = merge_faces(None, [ANNA, guess, NOBODY], SIZE).data
    assert {(found.name, found.confirmed) for found in read_packet(data).regions} == {
        ("Anna", True),
        ("Ben", False),
        (None, True),
    }
    assert merge_faces(data, [ANNA, guess, NOBODY], SIZE).data == data and strip_own_data(data) is None
    moved = data.replace(b"0.350000", b"0.350400")  # rounded by another program
    assert moved != data and {found.confirmed for found in read_packet(moved).regions if found.name == "Ben"} == {False}
    changed = data.replace(b'"Ben"', b'"Carla"')  # a region changed by others is theirs
    assert all(found.confirmed for found in read_packet(changed).regions)
    confirmed = merge_faces(data, [ANNA, BEN, NOBODY], SIZE).data
    assert all(found.confirmed for found in read_packet(confirmed).regions) and b"Suggested" not in confirmed
    assert confirmed == merge_faces(None, [ANNA, BEN, NOBODY], SIZE).data


def test_an_attribute_lookalike_inside_a_value_is_kept() -> None:
    label = """xmp:Label="see dc:subject='kept' end" """
    data = build_sidecar(CLUTTER, attributes=f" {label} dc:subject = 'cat'  xmp:Rating='1'").encode()
    merged = merge_faces(data, [ANNA], SIZE).data
    assert label.encode() in merged and b"xmp:Rating='1'" in merged
    assert read_list(merged, "dc:subject") == ["cat", "Anna"] and b"subject = " not in merged


def test_much_white_space_between_attributes_is_fast() -> None:
    data = build_sidecar(attributes=" " * 100_000 + "xmp:Label='x' dc:subject='cat'").encode()
    start = time.process_time()
    merge_faces(data, [ANNA], SIZE)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    "inside",
    [
        " rdf:parseType='Resource'><rdf:value><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></rdf:value><xmp:q>1</xmp:q>",
        " rdf:parseType='Resource'><rdf:value>cat</rdf:value><xmp:q>1</xmp:q>",
        " xml:lang='de'>Katze",
        " rdf:resource='urn:cat'>",
    ],
)
def test_a_property_with_more_than_a_text_is_not_rewritten(inside: str) -> None:
    data = build_sidecar(f"<dc:subject{inside}</dc:subject>").encode()
    with pytest.raises(BadPacketError, match="dc:subject is neither a text nor a list"):
        merge_faces(data, [ANNA], SIZE)
    assert merge_faces(data, [NOBODY], SIZE).data != data and merge_faces(data, [], SIZE).data == data


@pytest.mark.slow
def test_very_many_keywords_are_fast() -> None:
    data = build_sidecar(build_array("dc:subject", *(f"k{number}" for number in range(20_000)))).encode()
    start = time.process_time()
    merged = merge_faces(data, [ANNA], SIZE).data
    assert merge_faces(merged, [ANNA], SIZE).data == merged
    assert merge_faces(merged, [], SIZE).data == data
    assert time.process_time() - start < 20


IN_PIXELS = build_region("Zed", 80, 60, 80, 60).replace(">normalized<", "> Pixel <")
WITH_COMMAS = build_region("Zed", 0.2, 0.2, 0.2, 0.2).replace("0.2", "0,2")
MP_COMMAS = (
    "<MP:RegionInfo rdf:parseType='Resource'><MPRI:Regions><rdf:Bag><rdf:li rdf:parseType='Resource'>"
    "<MPReg:Rectangle>0,1; 0,1; 0,2; 0,2</MPReg:Rectangle><MPReg:PersonDisplayName>Zed</MPReg:PersonDisplayName>"
    "</rdf:li></rdf:Bag></MPRI:Regions></MP:RegionInfo>"
)


@pytest.mark.parametrize(
    "theirs",
    [
        build_mwg_regions(IN_PIXELS, size=(400, 300)),
        build_mwg_regions(IN_PIXELS, size=None),
        build_mwg_regions(WITH_COMMAS, size=None),
        MP_COMMAS,
    ],
)
def test_export_recognises_all_regions_that_import_reads(theirs: str) -> None:
    face, other = NamedBox((0.1, 0.1, 0.3, 0.3), "Anna"), NamedBox((0.6, 0.6, 0.8, 0.8), "Ben")
    data = build_sidecar(theirs).encode()
    if theirs != build_mwg_regions(IN_PIXELS, size=None):  # an import cannot know the size
        (read,) = read_packet(data).regions
        assert (read.name, read.box) == ("Zed", pytest.approx(face.box))
    merged = merge_faces(data, [face, other], (400, 300))
    assert merged.conflicts == (("Anna", "Zed"),) and b"Anna" not in merged.data and b"Zed" in merged.data
    assert merge_faces(merged.data, [face, other], (400, 300)).data == merged.data
    assert not merge_faces(data, [replace(face, name="zed")], (400, 300)).conflicts


def test_regions_in_pixels_without_dimensions_get_none() -> None:
    data = build_sidecar(build_mwg_regions(IN_PIXELS, size=None)).encode()
    merged = merge_faces(data, [BEN], SIZE).data
    assert read_names(merged, 0) == ["Zed", "Ben"] and b"AppliedToDimensions" not in merged
    assert merge_faces(merged, [BEN], SIZE).data == merged


@pytest.mark.parametrize(
    "inside", ["><rdf:Description/>", "><rdf:Description>\n </rdf:Description>", " rdf:parseType='Resource'>"]
)
def test_an_empty_structure_is_filled_in_one_step(inside: str) -> None:
    data = build_sidecar(f"<mwg-rs:Regions{inside}</mwg-rs:Regions>").encode()
    merged = merge_faces(data, [ANNA], SIZE).data
    assert read_names(merged, 0) == ["Anna"] and merged.count(b"AppliedToDimensions") == 1
    assert merge_faces(merged, [ANNA], SIZE).data == merged
