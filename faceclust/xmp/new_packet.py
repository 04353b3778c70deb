"""The initial packet of a new sidecar: keywords, people and regions copied from the photo.

A property in a sidecar hides that of the photo: digiKam 7.9 ignores a photo's own XMP and IPTC
keywords if our sidecar has keywords. So the sidecar repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from faceclust.types import Box
from faceclust.xmp.keywords import ACDSEE_CATEGORIES, KEYWORD_PROPERTY_NAMES, PATH_SEPARATORS
from faceclust.xmp.packet import NAMESPACES, parse_packet, tag
from faceclust.xmp.rdf import (
    array_items,
    child_elements,
    field_element,
    find_array,
    property_attributes,
    property_elements,
    text_of,
)
from faceclust.xmp.schemes import SCHEMES, Scheme
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text

#: What read.py reads: lists of texts; further properties of people; and regions in notations that are not written.
_LISTS = tuple(dict.fromkeys((*KEYWORD_PROPERTY_NAMES, *PATH_SEPARATORS, "mediapro:People")))
_OTHER_PEOPLE = (ACDSEE_CATEGORIES, "Iptc4xmpExt:PersonInImageWDetails")
_OTHER_REGIONS = ("Iptc4xmpExt:ImageRegion", "acdsee-rs:Regions")


def build_new_packet(packets: Sequence[bytes], keywords: Sequence[str], *, regions: bool = True) -> bytes:
    """Build a packet with the keywords, people and regions of the packets of one photo.

    `keywords` from outside the packets are added to `dc:subject`. A packet that is not quite XML is
    repaired first. Raises BadPacketError if one cannot be read: the new packet would hide its data.
    """
    roots = [parse_packet(packet, lenient=True).getroot() for packet in packets]
    block = etree.Element(tag("rdf:Description"), {tag("rdf:about"): ""}, nsmap={"rdf": NAMESPACES["rdf"]})
    for name in _LISTS:
        _merge_texts(block, name, roots, keywords if name == "dc:subject" else ())
    for name in (*_OTHER_PEOPLE, *(_OTHER_REGIONS if regions else ())):
        _copy_first(block, name, roots)
    for scheme in SCHEMES if regions else ():
        _merge_regions(block, scheme, roots)
    if not child_elements(block):
        return EMPTY_PACKET
    etree.cleanup_namespaces(block)
    etree.indent(block, " ", level=2)
    return EMPTY_PACKET.replace(
        b" </rdf:RDF>", b"  " + etree.tostring(block, encoding="unicode").encode() + b"\n </rdf:RDF>"
    )


def _merge_texts(block: etree._Element, name: str, roots: Sequence[etree._Element], keywords: Sequence[str]) -> None:
    """Copy the first list of a property, and append the texts that the others and `keywords` have beside."""
    elements = _elements_of(roots, name)
    texts = [text for root in roots for _, text in property_attributes(root, name)]
    for element in elements:
        texts += map(text_of, array_items(element) if find_array(element) is not None else [element])
    texts += [text for text in map(clean_xml_text, keywords) if text]
    if not any(texts):
        return
    first = next((element for element in elements if find_array(element) is not None), None)
    target = _add_list(block, name) if first is None else _append_copy(block, first)
    array = find_array(target)
    assert array is not None
    known = set(map(text_of, array_items(target)))
    for text in dict.fromkeys(text for text in texts if text and text not in known):
        etree.SubElement(array, tag("rdf:li")).text = text


def _copy_first(block: etree._Element, name: str, roots: Sequence[etree._Element]) -> None:
    elements = _elements_of(roots, name)
    if elements:
        _append_copy(block, elements[0])
    else:
        for text in [text for root in roots for _, text in property_attributes(root, name)][:1]:
            _add_property(block, name).text = text


def _merge_regions(block: etree._Element, scheme: Scheme, roots: Sequence[etree._Element]) -> None:
    """Copy the first regions, and append those of other packets that differ."""
    elements = _elements_of(roots, scheme.property_name)
    if not elements:
        return
    target = field_element(_append_copy(block, elements[0]), scheme.list_name)
    array = find_array(target) if target is not None else None
    if target is None or array is None:
        return
    known = {_region_key(item, scheme) for item in array_items(target)}
    for element in elements[1:]:
        source = field_element(element, scheme.list_name)
        for item in array_items(source) if source is not None else ():
            if (key := _region_key(item, scheme)) not in known:
                known.add(key)
                _append_copy(array, item)


def _region_key(item: etree._Element, scheme: Scheme) -> tuple[str | None, Box | None]:
    region = scheme.read(item, None)
    return region.name, region.box


def _elements_of(roots: Sequence[etree._Element], name: str) -> list[etree._Element]:
    return [element for root in roots for element in property_elements(root, name)]


def _add_property(block: etree._Element, name: str) -> etree._Element:
    prefix = name.partition(":")[0]
    return etree.SubElement(block, tag(name), nsmap={prefix: NAMESPACES[prefix]})


def _add_list(block: etree._Element, name: str) -> etree._Element:
    element = _add_property(block, name)
    etree.SubElement(element, tag("rdf:Bag"))
    return element


def _append_copy(parent: etree._Element, element: etree._Element) -> etree._Element:
    copied = deepcopy(element)
    copied.tail = None
    parent.append(copied)
    return copied
