"""XMP packets as trees: read safely, with the namespaces that photo programs use."""

from __future__ import annotations

from lxml import etree

from faceclust.xmp.encoding import PacketText, decode_packet

#: Prefix → namespace. The spellings are those of the MWG's guidelines 2.0, Microsoft's "People
#: Tagging", IPTC's photo metadata standard 2023.2, Adobe's XMP specification and digiKam's schema;
#: the last is our own (see mine.py).
NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "faceclust": "urn:faceclust:xmp:1.0/",
}
#: A packet is some kilobytes; one of a large photo with its history is seldom above one megabyte.
_MAX_PACKET_BYTES = 32_000_000


class BadPacketError(ValueError):
    """These bytes are no XMP that can be read; the message says why."""


def tag(prefixed: str) -> str:
    """ "mwg-rs:Regions" as lxml spells it."""
    prefix, _, name = prefixed.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


def parse_packet(data: bytes) -> etree._ElementTree:
    """The packet as a tree, comments and white space kept. Nothing outside it is read, and a packet
    that declares a document type, as entity bombs have to, is refused. Raises BadPacketError."""
    if len(data) > _MAX_PACKET_BYTES:
        raise BadPacketError(f"larger than {_MAX_PACKET_BYTES:,} bytes")
    try:
        return parse_packet_text(decode_packet(data))
    except UnicodeError as error:
        raise BadPacketError(f"no text: {error}") from error


def parse_packet_text(text: PacketText) -> etree._ElementTree:
    """The same from a packet's characters."""
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(text.utf8, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadPacketError(f"no XML: {error}") from error
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None:
        raise BadPacketError("it declares a document type, which XMP never does")
    if next(root.iter(tag("rdf:RDF")), None) is None:
        raise BadPacketError("no XMP: there is no rdf:RDF in it")
    return tree
