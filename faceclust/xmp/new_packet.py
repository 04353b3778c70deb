"""The initial packet of a new sidecar: keywords and regions copied from the photo.

A property in a sidecar hides that of the photo: digiKam 7.9 ignores a photo's own XMP and IPTC
keywords if our sidecar has keywords. So the sidecar repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from faceclust.xmp.keywords import ACDSEE_CATEGORIES, KEYWORD_PROPERTY_NAMES, PATH_SEPARATORS
from faceclust.xmp.packet import NAMESPACES, BadPacketError, parse_packet, tag
from faceclust.xmp.rdf import child_elements, property_attributes, property_elements
from faceclust.xmp.schemes import SCHEMES
from faceclust.xmp.serialise import EMPTY_PACKET, clean_xml_text

#: What read.py reads: lists of texts, and the text that has ACDSee's categories.
TEXT_PROPERTIES = (
    *dict.fromkeys((*KEYWORD_PROPERTY_NAMES, *PATH_SEPARATORS)),
    *("mediapro:People", ACDSEE_CATEGORIES),
)
#: What read.py reads: people with details, and regions.
PEOPLE_PROPERTIES = ("Iptc4xmpExt:PersonInImageWDetails",)
REGION_PROPERTIES = (
    *(scheme.property_name for scheme in SCHEMES),
    *("Iptc4xmpExt:ImageRegion", "acdsee-rs:Regions"),
)


def build_new_packet(packet: bytes | None, keywords: Sequence[str], *, regions: bool = True) -> bytes:
    """Build a packet with the keywords, names and regions of another packet.

    Without `dc:subject` in the packet, the IPTC `keywords` are used. A packet that is not quite XML is
    repaired first. Raises BadPacketError if it cannot be read: a new packet would hide its data.
    """
    block = etree.Element(tag("rdf:Description"), {tag("rdf:about"): ""}, nsmap={"rdf": NAMESPACES["rdf"]})
    try:
        root = parse_packet(packet or EMPTY_PACKET, lenient=True).getroot()
    except BadPacketError as error:
        raise BadPacketError(f"the XMP in the photo cannot be read, and a sidecar would hide it: {error}") from error
    for name in (*TEXT_PROPERTIES, *PEOPLE_PROPERTIES, *(REGION_PROPERTIES if regions else ())):
        for element in property_elements(root, name)[:1]:
            copied = deepcopy(element)
            copied.tail = None
            block.append(copied)
        for _, text in property_attributes(root, name)[:1]:
            _add_property(block, name, [text])
    if block.find(tag("dc:subject")) is None:
        _add_property(block, "dc:subject", [text for text in map(clean_xml_text, keywords) if text])
    if not child_elements(block):
        return EMPTY_PACKET
    etree.cleanup_namespaces(block)
    etree.indent(block, " ", level=2)
    return EMPTY_PACKET.replace(
        b" </rdf:RDF>", b"  " + etree.tostring(block, encoding="unicode").encode() + b"\n </rdf:RDF>"
    )


def _add_property(block: etree._Element, name: str, texts: Sequence[str]) -> None:
    if texts:
        prefix = name.partition(":")[0]
        element = etree.SubElement(block, tag(name), nsmap={prefix: NAMESPACES[prefix]})
        if name == ACDSEE_CATEGORIES:
            element.text = texts[0]
            return
        bag = etree.SubElement(element, tag("rdf:Bag"))
        for text in texts:
            etree.SubElement(bag, tag("rdf:li")).text = text
