"""Merge the packets of one photo, and its keywords from elsewhere, into one packet."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from faceclust.types import Box
from faceclust.xmp.keywords import KEYWORD_PROPERTY_NAMES
from faceclust.xmp.packet import NAMESPACES, parse_packet, tag
from faceclust.xmp.rdf import array_items, field_element, find_array, property_attributes, property_elements, text_of
from faceclust.xmp.schemes import SCHEMES, Scheme
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text


def merge_packets(packets: Sequence[bytes], keywords: Sequence[str]) -> bytes:
    """Merge the keywords, people and regions of several packets into a packet with nothing else.

    `keywords` are added to its `dc:subject`. Raises BadPacketError if a packet is invalid: what it has
    is unknown.
    """
    roots = [parse_packet(packet).getroot() for packet in packets]
    merged = parse_packet(EMPTY_PACKET).getroot()
    rdf = next(merged.iter(tag("rdf:RDF")))
    block = etree.SubElement(rdf, tag("rdf:Description"), {tag("rdf:about"): ""})
    for name in KEYWORD_PROPERTY_NAMES:
        _merge_texts(block, name, roots, keywords if name == "dc:subject" else ())
    for scheme in SCHEMES:
        _merge_regions(block, scheme, roots)
    return etree.tostring(merged, encoding="utf-8")


def _merge_texts(block: etree._Element, name: str, roots: Sequence[etree._Element], keywords: Sequence[str]) -> None:
    elements = [element for root in roots for element in property_elements(root, name)]
    lists = [element for element in elements if find_array(element) is not None]
    texts = [text for root in roots for _, text in property_attributes(root, name)]
    for element in elements:
        texts += map(text_of, array_items(element) if find_array(element) is not None else [element])
    texts += [text for text in map(clean_xml_text, keywords) if text]
    if not any(texts):
        return
    if lists:
        merged = _append_copy(block, lists[0])
    else:
        prefix = name.partition(":")[0]
        merged = etree.SubElement(block, tag(name), nsmap={prefix: NAMESPACES[prefix]})
        etree.SubElement(merged, tag("rdf:Bag"))
    known = set(map(text_of, array_items(merged)))
    for text in dict.fromkeys(text for text in texts if text and text not in known):
        etree.SubElement(_array_of(merged), tag("rdf:li")).text = text


def _merge_regions(block: etree._Element, scheme: Scheme, roots: Sequence[etree._Element]) -> None:
    """Copy the first regions, and append those of other packets that differ."""
    elements = [element for root in roots for element in property_elements(root, scheme.property_name)]
    if not elements:
        return
    target = field_element(_append_copy(block, elements[0]), scheme.list_name)
    if target is None or find_array(target) is None:
        return
    known = {_region_key(item, scheme) for item in array_items(target)}
    for element in elements[1:]:
        source = field_element(element, scheme.list_name)
        for item in array_items(source) if source is not None else ():
            if (key := _region_key(item, scheme)) not in known:
                known.add(key)
                _append_copy(_array_of(target), item)


def _region_key(item: etree._Element, scheme: Scheme) -> tuple[str | None, Box | None]:
    region = scheme.read(item, None)
    return region.name, region.box


def _append_copy(parent: etree._Element, element: etree._Element) -> etree._Element:
    copied = deepcopy(element)
    copied.tail = None
    parent.append(copied)
    return copied


def _array_of(element: etree._Element) -> etree._Element:
    found = find_array(element)
    assert found is not None
    return found
