"""Parse XMP packets safely, with the namespaces of photo programs."""

from __future__ import annotations

import re

from lxml import etree

from faceclust.xmp.encoding import PacketText, decode_leniently, decode_packet
from faceclust.xmp.repair import repair_xml
from faceclust.xmp.safe_xml import InvalidXmlError, parse_xml

#: Prefix → namespace, after the MWG guidelines 2.0, Microsoft's "People Tagging", the IPTC photo
#: metadata standard 2023.2, Adobe's XMP specification, digiKam's schema and exiftool's tables. The last
#: one is our own (see ownership.py).
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
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "acdsee-rs": "http://ns.acdsee.com/regions/",
    "acdsee-stDim": "http://ns.acdsee.com/sType/Dimensions#",
    "acdsee-stArea": "http://ns.acdsee.com/sType/Area#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "faceclust": "urn:faceclust:xmp:1.0/",
}
_DECLARED_URI = re.compile(r"""(\bxmlns:[\w.-]{1,40}\s{0,9}=\s{0,9}["'])([^"'<>]{1,200})(?=["'])""")
#: Programs omit or add the last character of a URI.
_URIS = {uri.rstrip("/#"): uri for uri in NAMESPACES.values()}
#: Most packets have a few kilobytes, and few with a long edit history exceed one megabyte.
MAX_PACKET_BYTES = 32_000_000
#: Regions that are read from a packet; one with more is not edited, as comparing regions takes quadratic time.
MAX_REGIONS = 1000


class BadPacketError(ValueError):
    """The bytes are not readable XMP; the message has the reason."""


def tag(prefixed: str) -> str:
    """Convert a prefixed name such as "mwg-rs:Regions" to lxml's notation."""
    prefix, _, name = prefixed.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


def parse_packet(data: bytes, *, lenient: bool = False) -> etree._ElementTree:
    """Parse a packet; comments and white space are kept. Raises BadPacketError.

    `parse_xml` has the limits for hostile files. `lenient`: for reading only, a packet that is not
    quite XML is repaired (see repair.py).
    """
    if len(data) > MAX_PACKET_BYTES:
        raise BadPacketError(f"larger than {MAX_PACKET_BYTES:,} bytes")
    if lenient:
        return _parse_leniently(decode_leniently(data))
    try:
        return parse_packet_text(decode_packet(data))
    except UnicodeError as error:
        raise BadPacketError(f"not a text: {error}") from error


def parse_packet_text(text: PacketText) -> etree._ElementTree:
    """Parse the decoded text of a packet, as `parse_packet` does."""
    try:
        root = parse_xml(text.utf8, "utf-8")
    except InvalidXmlError as error:
        raise BadPacketError(str(error)) from error
    if next(root.iter(tag("rdf:RDF")), None) is None:
        raise BadPacketError("not XMP: it has no rdf:RDF")
    return root.getroottree()


def _parse_leniently(text: str) -> etree._ElementTree:
    text = _DECLARED_URI.sub(lambda match: match[1] + _URIS.get(match[2].rstrip("/#"), match[2]), text)
    try:
        return parse_packet_text(PacketText(text))
    except BadPacketError as error:
        try:
            return parse_packet_text(PacketText(repair_xml(text, NAMESPACES)))
        except (BadPacketError, InvalidXmlError):
            raise error from None  # about the packet, not about its repaired text
