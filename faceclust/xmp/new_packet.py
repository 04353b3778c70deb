"""The initial packet of a new sidecar: keywords and regions copied from the photo.

A property in a sidecar hides that of the photo: digiKam 7.9 ignores a photo's own XMP and IPTC
keywords if our sidecar has keywords. So the sidecar repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from faceclust.xmp.keywords import KEYWORD_PROPERTY_NAMES
from faceclust.xmp.packet import NAMESPACES, BadPacketError, parse_packet, tag
from faceclust.xmp.rdf import child_elements, property_attributes, property_elements
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text


def build_new_packet(packet: bytes | None, keywords: Sequence[str], *, regions: bool = True) -> bytes:
    """Build a packet with those properties of another packet that faceclust writes as well.

    Without `dc:subject` in the packet, the IPTC `keywords` are used. An invalid packet counts as empty.
    """
    block = etree.Element(tag("rdf:Description"), {tag("rdf:about"): ""}, nsmap={"rdf": NAMESPACES["rdf"]})
    root = _parse_or_empty(packet)
    for name in (*KEYWORD_PROPERTY_NAMES, *(scheme.property_name for scheme in SCHEMES if regions)):
        for element in property_elements(root, name)[:1]:
            copied = deepcopy(element)
            copied.tail = None
            block.append(copied)
        for _, text in property_attributes(root, name)[:1]:
            _add_list(block, name, [text])
    if block.find(tag("dc:subject")) is None:
        _add_list(block, "dc:subject", [text for text in map(clean_xml_text, keywords) if text])
    if not child_elements(block):
        return EMPTY_PACKET
    etree.cleanup_namespaces(block)
    etree.indent(block, " ", level=2)
    return EMPTY_PACKET.replace(
        b" </rdf:RDF>", b"  " + etree.tostring(block, encoding="unicode").encode() + b"\n </rdf:RDF>"
    )


def _parse_or_empty(packet: bytes | None) -> etree._Element:
    try:
        return parse_packet(packet or EMPTY_PACKET).getroot()
    except BadPacketError:
        return parse_packet(EMPTY_PACKET).getroot()


def _add_list(block: etree._Element, name: str, texts: Sequence[str]) -> None:
    if texts:
        prefix = name.partition(":")[0]
        element = etree.SubElement(block, tag(name), nsmap={prefix: NAMESPACES[prefix]})
        bag = etree.SubElement(element, tag("rdf:Bag"))
        for text in texts:
            etree.SubElement(bag, tag("rdf:li")).text = text
