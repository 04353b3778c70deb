"""Read people from a packet: face regions, and names without a region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from faceclust.xmp.keywords import ACDSEE_CATEGORIES, PATH_SEPARATORS, read_categories, split_path
from faceclust.xmp.ownership import (
    SUGGESTED_PROPERTY,
    OwnRegion,
    format_region_record,
    read_own_keywords,
    read_own_regions,
    read_people_without_face,
    read_region_records,
)
from faceclust.xmp.packet import MAX_REGIONS, parse_packet
from faceclust.xmp.property_reader import PropertyReader
from faceclust.xmp.rdf import DESCRIPTION
from faceclust.xmp.read_regions import FoundRegions, detailed_names, read_regions
from faceclust.xmp.values import XmpFaces, XmpRegion

_OWN_SCHEME_NAMES = {"mwg": "mwg-rs", "mp": "MP"}
_PERSON_PROPERTIES = ("Iptc4xmpExt:PersonInImage", "mediapro:People")


def read_packet(data: bytes, size: tuple[int, int] | None = None) -> XmpFaces:
    """Read the people in a packet, in its order. Raises BadPacketError.

    Regions that are not faces or have no valid box are counted; a face without any area is a name
    without a region. A region's name may be any text, or None. Regions in pixels refer to `size`, the
    stored picture's width and height, if the packet has no dimensions. All equivalent notations of RDF
    are read: properties as elements or attributes, in one or several descriptions, structures with or
    without a node of their own. Keywords that faceclust wrote are left out, for its regions have the
    same names; people of whom no face is to be seen are listed apart. A packet that is not quite XML is
    repaired first.
    """
    root = parse_packet(data, lenient=True).getroot()
    properties = PropertyReader(root.iter(DESCRIPTION), top_only=True)
    found = read_regions(properties, size)
    suggested = read_own_regions(root, SUGGESTED_PROPERTY)[:MAX_REGIONS]
    own, records = read_own_keywords(root), read_region_records(root)
    people = [text for name in _PERSON_PROPERTIES for text in properties.texts(name) if (name, text) not in own]
    return XmpFaces(
        regions=tuple(
            replace(
                region,
                confirmed=region.confirmed and not _is_own_suggestion(region, suggested),
                is_own=format_region_record(_OWN_SCHEME_NAMES.get(region.scheme, ""), region.box, region.name)
                in records,
            )
            for region in found.regions[:MAX_REGIONS]
        ),
        keywords=tuple(dict.fromkeys(_read_keyword_paths(properties, own))),
        people=tuple(dict.fromkeys([*people, *detailed_names(properties), *found.people])),
        without_face=_read_without_face(root, properties, found),
        orientation=_parse_integer(properties.text("tiff:Orientation"), 1, 8),
        other_regions=found.other,
        invalid_regions=found.invalid,
    )


def _read_without_face(root: etree._Element, properties: PropertyReader, found: FoundRegions) -> tuple[str, ...]:
    """The people without a face, as far as other programs have neither removed their names nor marked their faces."""
    with_region = {region.name for region in found.regions}
    present = set(properties.texts(_PERSON_PROPERTIES[0])) - with_region
    return tuple(dict.fromkeys(name for name in read_people_without_face(root) if name in present))


def _is_own_suggestion(region: XmpRegion, suggestions: Iterable[OwnRegion]) -> bool:
    scheme = _OWN_SCHEME_NAMES.get(region.scheme, "")
    return any(record.matches(scheme, region.box, region.name) for record in suggestions)


def _read_keyword_paths(properties: PropertyReader, own: set[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of hierarchical keywords; flat ones in `dc:subject` are left out."""
    for name, separator in PATH_SEPARATORS.items():
        for text in properties.texts(name):
            if (name, text) not in own and (path := split_path(text, separator)):
                yield path
    for text in properties.texts(ACDSEE_CATEGORIES):
        yield from read_categories(text)
    for text in properties.texts("dc:subject"):
        if ("dc:subject", text) not in own and len(path := split_path(text, "|")) > 1:
            yield path


def _parse_integer(text: str | None, minimum: int, maximum: int) -> int | None:
    value = (text or "").strip()
    return int(value) if value.isdecimal() and len(value) < 6 and minimum <= int(value) <= maximum else None
