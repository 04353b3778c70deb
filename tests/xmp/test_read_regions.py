"""Regions, names without a region and keywords in the notations of several programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from faceclust.types import Box
from faceclust.xmp.new_packet import build_new_packet
from faceclust.xmp.read import read_packet
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.write import merge_faces
from tests.support.programs import find_program
from tests.support.xmp_packets import (
    build_acdsee_area,
    build_acdsee_regions,
    build_array,
    build_fields,
    build_iptc_boundary,
    build_iptc_regions,
    build_microsoft_regions,
    build_mwg_regions,
    build_region,
    build_sidecar,
)

ANNA = build_array("Iptc4xmpExt:PersonInImage", "Anna")
RECTANGLE = build_iptc_boundary(rbShape="rectangle", rbUnit="relative", rbX=0.2, rbY=0.4, rbW=0.1, rbH=0.2)
BOX = (0.2, 0.4, 0.3, 0.6)
DETAILS = (
    "<Iptc4xmpExt:PersonInImageWDetails><rdf:Bag><rdf:li rdf:parseType='Resource'><Iptc4xmpExt:PersonName><rdf:Alt>"
    "<rdf:li xml:lang='x-default'>Anna</rdf:li></rdf:Alt></Iptc4xmpExt:PersonName></rdf:li></rdf:Bag>"
    "</Iptc4xmpExt:PersonInImageWDetails>"
)


def named(text: str) -> str:
    return f"<Iptc4xmpExt:Name><rdf:Alt><rdf:li xml:lang='x-default'>{text}</rdf:li></rdf:Alt></Iptc4xmpExt:Name>"


def typed(identifier: str, kind: str = "rCtype") -> str:
    return (
        f"<Iptc4xmpExt:{kind}><rdf:Bag><rdf:li rdf:parseType='Resource'><xmp:Identifier><rdf:Bag>"
        f"<rdf:li>http://cv.iptc.org/newscodes/{identifier}</rdf:li></rdf:Bag></xmp:Identifier></rdf:li></rdf:Bag>"
        f"</Iptc4xmpExt:{kind}>"
    )


def acdsee(*areas: str, name: str = "Anna", kind: str = "Face", assigned: str = "manual") -> str:
    fields = build_fields("acdsee-rs", Name=name, Type=kind, NameAssignType=assigned)
    return build_acdsee_regions(fields + "".join(areas), size=(400, 300))


DRAWN, FOUND = build_acdsee_area("DLYArea", 0.25, 0.5, 0.1, 0.2), build_acdsee_area("ALGArea", 0.7, 0.7, 0.2, 0.2)


@pytest.mark.parametrize(
    ("body", "name", "box", "scheme"),
    [
        (build_iptc_regions(ANNA + RECTANGLE), "Anna", BOX, "iptc"),
        (build_iptc_regions(DETAILS + RECTANGLE), "Anna", BOX, "iptc"),
        (build_iptc_regions(named("Anna") + typed("imageregiontype/human") + RECTANGLE), "Anna", BOX, "iptc"),
        (build_iptc_regions(named("Face 2") + typed("imageregiontype/face") + RECTANGLE), None, BOX, "iptc"),
        (
            build_iptc_regions(
                ANNA + build_iptc_boundary(rbShape="rectangle", rbUnit="pixel", rbX=80, rbY=120, rbW=40, rbH=60)
            ),
            *("Anna", BOX, "iptc"),
        ),
        (
            build_iptc_regions(
                ANNA + build_iptc_boundary(rbShape="circle", rbUnit="relative", rbX=0.5, rbY=0.5, rbRx=0.15)
            ),
            *("Anna", (0.35, 0.3, 0.65, 0.7), "iptc"),
        ),
        (
            build_iptc_regions(ANNA + build_iptc_boundary(rbShape="circle", rbUnit="pixel", rbX=200, rbY=150, rbRx=60)),
            *("Anna", (0.35, 0.3, 0.65, 0.7), "iptc"),
        ),
        (
            build_iptc_regions(
                ANNA + build_iptc_boundary(((0.25, 0.4), (0.3, 0.5), (0.2, 0.6)), rbShape="polygon", rbUnit="relative")
            ),
            *("Anna", BOX, "iptc"),
        ),
        (acdsee(DRAWN, FOUND), "Anna", BOX, "acdsee"),
        (acdsee(FOUND), "Anna", (0.6, 0.6, 0.8, 0.8), "acdsee"),
    ],
)
def test_a_region_is_read(body: str, name: str | None, box: Box, scheme: str) -> None:
    faces = read_packet(build_sidecar(body).encode(), (400, 300))
    (region,) = faces.regions
    assert (region.name, region.scheme, region.confirmed) == (name, scheme, True)
    assert region.box == pytest.approx(box)
    assert region.applied_to == ((400, 300) if scheme == "acdsee" else None)
    assert (faces.other_regions, faces.invalid_regions) == (0, 0)


@pytest.mark.parametrize(("assigned", "name"), [("auto", "Anna"), ("denied", None)])
def test_a_name_that_acdsee_suggests_is_unconfirmed(assigned: str, name: str | None) -> None:
    (region,) = read_packet(build_sidecar(acdsee(DRAWN, assigned=assigned)).encode()).regions
    assert (region.name, region.box, region.confirmed) == (name, pytest.approx(BOX), False)


@pytest.mark.parametrize(
    ("body", "people", "other", "invalid"),
    [
        (build_microsoft_regions(build_fields("MPReg", PersonDisplayName="Anna")), ("Anna",), 0, 0),
        (build_microsoft_regions(build_fields("MPReg", PersonDisplayName="Anna", Rectangle="0, 0, 0, 0")), (), 0, 1),
        (build_mwg_regions("<rdf:li mwg-rs:Name='Anna' mwg-rs:Type='Face'/>"), ("Anna",), 0, 0),
        (build_mwg_regions(build_region("Anna", 0.5, 0.5, 0, 0)), (), 0, 1),
        (build_mwg_regions(build_region("Anna", 1.5, 0.5, 0.1, 0.1)), (), 0, 1),
        (build_mwg_regions(*(build_region("a", 0.5, 0.5, 0.1, 0.1, kind) for kind in ("Pet", "BarCode"))), (), 2, 0),
        (acdsee(), ("Anna",), 0, 0),
        (acdsee(DRAWN, kind="Pet"), (), 1, 0),
        (build_iptc_regions(ANNA), ("Anna",), 0, 0),
        (
            build_iptc_regions(build_array("Iptc4xmpExt:PersonInImage", "Anna", "Ben") + RECTANGLE),
            ("Anna", "Ben"),
            0,
            0,
        ),
        (build_iptc_regions(named("Rome") + RECTANGLE), (), 1, 0),
        (build_iptc_regions(named("a") + typed("imageregionrole/cropping", "rRole") + RECTANGLE), (), 1, 0),
        (build_iptc_regions(ANNA + build_iptc_boundary(rbShape="polygon", rbUnit="relative")), (), 0, 1),
        (build_iptc_regions(ANNA + build_iptc_boundary(((0.1, 0.1), (0.2, "x")), rbShape="polygon")), (), 0, 1),  # type: ignore[arg-type]
        (build_iptc_regions(ANNA + build_iptc_boundary(rbShape="rectangle", rbUnit="pixel", rbX=8)), (), 0, 1),
        (DETAILS, ("Anna",), 0, 0),
        (build_array("mediapro:People", "Anna", "Ben"), ("Anna", "Ben"), 0, 0),
    ],
)
def test_names_without_a_position_and_regions_that_are_not_read(
    body: str, people: tuple[str, ...], other: int, invalid: int
) -> None:
    faces = read_packet(build_sidecar(body).encode())
    assert faces.regions == ()
    assert (faces.people, faces.other_regions, faces.invalid_regions) == (people, other, invalid)


CATEGORIES = (
    '<Categories><Category Assigned="0">People<Category Assigned="1">Anna</Category><Category Assigned="0">Ben'
    '</Category></Category><Category Assigned="1">Places</Category></Categories>'
)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (build_array("MicrosoftPhoto:LastKeywordXMP", "People/Anna"), [("People", "Anna")]),
        (build_array("mediapro:CatalogSets", "People|Anna"), [("People", "Anna")]),
        (build_array("dc:subject", "People/Anna", "People|Ben", "holiday"), [("People", "Anna"), ("People", "Ben")]),
        (build_array("digiKam:TagsList", "People|Anna"), [("People", "Anna")]),
        (build_array("lr:hierarchicalSubject", "People/Anna"), [("People", "Anna")]),
        (f"<acdsee:categories>{escape(CATEGORIES)}</acdsee:categories>", [("People", "Anna"), ("Places",)]),
        ("<acdsee:categories>&lt;Categories&gt;</acdsee:categories>", []),
        ("<acdsee:categories>&lt;!DOCTYPE x [&lt;!ENTITY a 'b'&gt;]&gt;&lt;x/&gt;</acdsee:categories>", []),
    ],
)
def test_hierarchical_keywords(body: str, paths: list[tuple[str, ...]]) -> None:
    data = build_sidecar(body).encode()
    assert read_packet(data).keywords == tuple(paths)
    new = merge_faces(build_new_packet([data], ()), [NamedBox((0.1, 0.1, 0.2, 0.2), "Carl")], (400, 300)).data
    assert set(paths) <= set(read_packet(new).keywords)


def test_the_keywords_of_other_programs_are_not_hidden_by_ours() -> None:
    """digiKam ignores the other properties as soon as there is its own."""
    categories = CATEGORIES.replace("People", "Places").replace("Anna", "Rome")
    bodies = (
        build_array("MicrosoftPhoto:LastKeywordXMP", "Places/Rome"),
        build_array("mediapro:CatalogSets", "Places|Rome"),
        f"<acdsee:categories>{escape(categories)}</acdsee:categories>",
    )
    for body in bodies:
        new = build_new_packet([build_sidecar(body).encode()], ())
        text = merge_faces(new, [NamedBox((0.1, 0.1, 0.2, 0.2), "Carl")], (400, 300)).data.decode()
        assert "<rdf:li>Places/Rome</rdf:li>" in text and "<rdf:li>Places|Rome</rdf:li>" in text, body


def test_a_keyword_on_two_lines_is_written_on_one_and_then_kept() -> None:
    data = build_sidecar(build_array("MicrosoftPhoto:LastKeywordXMP", "Places/New\n      York")).encode()
    faces = [NamedBox(BOX, "Anna")]
    merged = merge_faces(data, faces, (400, 300)).data
    assert b"<rdf:li>Places/New York</rdf:li>" in merged
    assert merge_faces(merged, faces, (400, 300)).data == merged


def test_a_new_packet_repeats_the_regions_of_every_scheme() -> None:
    bodies = build_iptc_regions(ANNA + RECTANGLE), acdsee(DRAWN), build_array("mediapro:People", "Ben"), DETAILS
    data = build_sidecar(*bodies).encode()
    new = read_packet(build_new_packet([data], ()))
    assert new == read_packet(data) and [region.scheme for region in new.regions] == ["iptc", "acdsee"]


def test_a_list_beside_the_fields_of_a_structure_hides_none_of_them() -> None:
    body = build_mwg_regions(build_region("Anna", 0.25, 0.5, 0.1, 0.2))
    stray = body.replace("<mwg-rs:RegionList>", "<rdf:Bag><rdf:li>stray</rdf:li></rdf:Bag><mwg-rs:RegionList>")
    assert stray != body
    (region,) = read_packet(build_sidecar(stray).encode()).regions
    assert region.name == "Anna"


def test_iptc_regions_written_by_exiftool(tmp_path: Path) -> None:
    path = tmp_path / "a.xmp"
    boundary = "RegionBoundary={RbShape=rectangle,RbUnit=relative,RbX=0.2,RbY=0.4,RbW=0.1,RbH=0.2}"
    region = f"{{Name=A,PersonInImage=[Anna],{boundary}}}"
    subprocess.run([find_program("exiftool"), "-q", f"-XMP-iptcExt:ImageRegion=[{region}]", path], check=True)
    (found,) = read_packet(path.read_bytes()).regions
    assert (found.name, found.box) == ("Anna", pytest.approx(BOX))
