"""Serialise fragments of XMP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

#: The initial packet of a new sidecar. The byte order mark in `begin` is part of the XMP header.
EMPTY_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="faceclust">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()
#: Characters that XML 1.0 does not allow, even escaped.
INVALID_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_xml_text(text: str) -> str:
    """Return a text on one line, without characters that XML does not allow."""
    return INVALID_XML.sub("", re.sub(r"[\t\r\n]+", " ", text)).strip()


def format_attribute(name: str, value: str) -> str:
    """Format an attribute as ` name="value"`, with a leading space."""
    return f" {name}={quote_value(value)}"


def quote_value(value: str) -> str:
    """Quote and escape the value of an attribute."""
    return '"' + escape(value, {'"': "&quot;"}) + '"'


def format_element(name: str, *inside: str, attributes: str = "") -> str:
    """Format an element; nested elements are on separate lines, indented by one space."""
    if not inside:
        return f"<{name}{attributes}/>"
    lines = "\n".join(f" {line}" for part in inside for line in part.split("\n"))
    return f"<{name}{attributes}>\n{lines}\n</{name}>"


def format_item(value: str) -> str:
    """Format an item of an array."""
    return f"<rdf:li>{escape(value)}</rdf:li>"


def format_array(name: str, kind: str, values: Iterable[str]) -> str:
    """Format a property as an array of texts; `kind` is "Bag" or "Seq"."""
    return format_element(name, format_element(f"rdf:{kind}", *map(format_item, values)))
