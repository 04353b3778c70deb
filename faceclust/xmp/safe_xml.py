"""Parse XML that may be hostile."""

from __future__ import annotations

from lxml import etree


class InvalidXmlError(ValueError):
    """The bytes are not XML, or not safe to parse; the message has the reason."""


def parse_xml(data: bytes, encoding: str | None = None) -> etree._Element:
    """Parse XML; comments, white space and CDATA sections are kept. Raises InvalidXmlError.

    No entity is expanded and no other file is loaded. A document type declaration, which entity bombs
    need, is an error. libxml2 limits the depth, the length of a text and the amplification by entities.
    """
    parser = etree.XMLParser(
        encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidXmlError(f"not XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidXmlError("it declares a document type, which photo programs never do")
    return root
